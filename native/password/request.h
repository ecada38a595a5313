/* What the daemon asks: read whole before PAM hears of it. */
#ifndef SALLYPORT_PASSWORD_REQUEST_H
#define SALLYPORT_PASSWORD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

/* Strings, with their ends. */
struct request {
    /* FRAME_ASK: is this the password? FRAME_LOOK: is there one? */
    enum frame_type type;
    uint32_t deadline;
    char user[USER_MAX + 1];
    /* "": none was given. */
    char source[SOURCE_MAX + 1];
    char password[PASSWORD_MAX + 1];
    /* False: empty, or with a NUL in it. No account has such a password, and PAM is not asked. */
    bool password_possible;
};

/* Takes a body, type first. False: a violation. Holds a password afterwards in any case: wipe it. */
bool request_parse(const uint8_t *body, size_t length, struct request *request);

#endif
