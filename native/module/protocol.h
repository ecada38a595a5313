/* The numbers of docs/reference/protocol.md. test/vectors holds the bytes that they lead to. */
#ifndef SALLYPORT_PROTOCOL_H
#define SALLYPORT_PROTOCOL_H

enum {
    PROTOCOL_VERSION = 1,

    SERVICE_MAX = 64,
    USER_MAX = 256,
    RUSER_MAX = 256,
    RHOST_MAX = 256,
    TTY_MAX = 128,
    SESSION_MAX = 128,
    SSH_AUTH_INFO_MAX = 12288,
    ANSWER_MAX = 1024,
    TEXT_MAX = 4096,
};

enum frame_type {
    FRAME_HELLO = 0x01,
    FRAME_ANSWER = 0x02,
    FRAME_CANCEL = 0x03,
    FRAME_WITHDRAWN = 0x04,
    FRAME_INFO = 0x11,
    FRAME_ERROR = 0x12,
    FRAME_PROMPT = 0x13,
    FRAME_WAIT = 0x14,
    FRAME_RESULT = 0x15,
    FRAME_WITHDRAW = 0x16,
};

enum field_tag {
    TAG_VERSION = 0x01,
    TAG_SERVICE = 0x02,
    TAG_USER = 0x03,
    TAG_RUSER = 0x04,
    TAG_RHOST = 0x05,
    TAG_TTY = 0x06,
    TAG_SESSION = 0x07,
    TAG_REAL_UID = 0x08,
    TAG_MODE = 0x09,
    TAG_FIRST_FACTOR = 0x0a,
    TAG_SSH_AUTH_INFO = 0x0b,
    TAG_DEADLINE = 0x0c,
    TAG_FLAGS = 0x0d,
    TAG_TERMINAL = 0x0e,
    TAG_ANSWER = 0x20,
    TAG_TEXT = 0x30,
    TAG_STYLE = 0x31,
    TAG_CODE = 0x32,
    TAG_STRIP = 0x33,
};

/* How a PROMPT is asked. */
enum prompt_style {
    STYLE_HIDDEN = 0,
    STYLE_SHOWN = 1,
    /* Hidden, by the module itself at the terminal, and open to WITHDRAW. */
    STYLE_TERMINAL = 2,
};

enum login_mode {
    MODE_PROMPT = 0,
    MODE_PASSWORD_AND_CODE = 1,
    MODE_FIRST_PASS = 2,
};

#endif
