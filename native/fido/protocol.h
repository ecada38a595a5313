/* The numbers of docs/reference/protocol.md, "The FIDO helper". daemon/protocol/fido.ts has the same ones. */
#ifndef SALLYPORT_FIDO_PROTOCOL_H
#define SALLYPORT_FIDO_PROTOCOL_H

enum {
    FIDO_PROTOCOL_VERSION = 1,

    HASH_LENGTH = 32,
    RP_ID_MAX = 255,
    RP_NAME_MAX = 64,
    USER_ID_MAX = 64,
    USER_NAME_MAX = 256,
    CREDENTIAL_ID_MAX = 1023,
    CREDENTIALS_MAX = 64,
    GROUPS_MAX = 16,
    ALGORITHMS_MAX = 3,
    DEADLINE_MIN = 100,
    DEADLINE_MAX = 600000,
    PIN_FIELD_MAX = 255,

    KEYS_MAX = 8,
    KEY_NAME_MAX = 128,
    FORMAT_MAX = 32,
    STATEMENT_MAX = 8192,
    AUTHENTICATOR_DATA_MAX = 4096,
    SIGNATURE_MAX = 1024,
    DETAIL_MAX = 256,
};

enum frame_type {
    FRAME_LIST = 0x41,
    FRAME_MAKE = 0x42,
    FRAME_ASSERT = 0x43,
    FRAME_PIN = 0x44,
    FRAME_KEYS = 0x51,
    FRAME_TOUCH = 0x52,
    FRAME_PIN_WANTED = 0x53,
    FRAME_LISTED = 0x61,
    FRAME_MADE = 0x62,
    FRAME_ASSERTED = 0x63,
    FRAME_FAILED = 0x64,
};

enum field_tag {
    TAG_VERSION = 0x01,
    TAG_DEADLINE = 0x02,
    TAG_CLIENT_DATA_HASH = 0x03,
    TAG_USER_VERIFICATION = 0x04,
    TAG_RP_ID = 0x05,
    TAG_RP_NAME = 0x06,
    TAG_USER_ID = 0x07,
    TAG_USER_NAME = 0x08,
    TAG_ALGORITHM = 0x09,
    TAG_CREDENTIAL_ID = 0x0a,
    TAG_RESIDENT = 0x0b,
    TAG_PIN = 0x20,
    TAG_ASK = 0x21,
    TAG_COUNT = 0x30,
    TAG_WHY = 0x31,
    TAG_RETRIES = 0x32,
    TAG_KEY_NAME = 0x33,
    TAG_FIDO2 = 0x34,
    TAG_FORMAT = 0x35,
    TAG_STATEMENT = 0x36,
    TAG_AUTHENTICATOR_DATA = 0x37,
    TAG_SIGNATURE = 0x38,
    TAG_REASON = 0x39,
    TAG_DETAIL = 0x3a,
};

enum user_verification {
    UV_DISCOURAGED = 0,
    UV_PREFERRED = 1,
    UV_REQUIRED = 2,
};

enum key_algorithm {
    ALGORITHM_ES256 = 1,
    ALGORITHM_EDDSA = 2,
    ALGORITHM_RS256 = 3,
};

enum pin_why {
    PIN_FIRST = 1,
    PIN_WRONG = 2,
};

enum failure_reason {
    REASON_NO_TOUCH = 1,
    REASON_NO_KEY = 2,
    REASON_WRONG_KEY = 3,
    REASON_EXCLUDED = 4,
    REASON_NO_PIN = 5,
    REASON_PIN_BLOCKED = 6,
    REASON_UNSUPPORTED = 7,
    REASON_KEY_FULL = 8,
    REASON_KEY_FAILED = 9,
    REASON_CANCELLED = 10,
};

#endif
