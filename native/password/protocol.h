/* The numbers of docs/reference/protocol.md, "The password helper". daemon/protocol/password.ts has the same ones. */
#ifndef SALLYPORT_PASSWORD_PROTOCOL_H
#define SALLYPORT_PASSWORD_PROTOCOL_H

enum {
    PASSWORD_PROTOCOL_VERSION = 1,

    USER_MAX = 256,
    SOURCE_MAX = 256,
    PASSWORD_MAX = 1024,
    DEADLINE_MIN = 100,
    DEADLINE_MAX = 30000,
};

enum frame_type {
    FRAME_ASK = 0x71,
    FRAME_LOOK = 0x72,
    FRAME_VERDICT = 0x81,
};

enum field_tag {
    TAG_VERSION = 0x01,
    TAG_DEADLINE = 0x02,
    TAG_USER = 0x03,
    TAG_SOURCE = 0x04,
    TAG_PASSWORD = 0x05,
    TAG_CODE = 0x06,
};

/* None is 0: unwritten bytes are not a verdict. */
enum verdict {
    VERDICT_RIGHT = 1,
    VERDICT_WRONG = 2,
    VERDICT_EXPIRED = 3,
    VERDICT_FAILED = 4,
    VERDICT_SET = 5,
    VERDICT_NONE = 6,
};

#endif
