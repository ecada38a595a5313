/* What the daemon asks for: parsed whole before a device is touched. */
#ifndef SALLYPORT_FIDO_REQUEST_H
#define SALLYPORT_FIDO_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

/* Points into the frame. */
struct credential {
    const uint8_t *id;
    size_t length;
};

/* Credentials that were made for one relying party; for MAKE: those to exclude. */
struct group {
    char rp_id[RP_ID_MAX + 1];
    /* In `request.credentials`. */
    size_t first;
    size_t count;
};

struct request {
    enum frame_type type;
    uint32_t deadline;
    uint8_t client_data_hash[HASH_LENGTH];
    enum user_verification verification;
    struct group groups[GROUPS_MAX];
    size_t group_count;
    struct credential credentials[CREDENTIALS_MAX];
    size_t credential_count;
    /* Only MAKE. */
    char rp_name[RP_NAME_MAX + 1];
    uint8_t user_id[USER_ID_MAX];
    size_t user_id_length;
    char user_name[USER_NAME_MAX + 1];
    uint8_t algorithms[ALGORITHMS_MAX];
    size_t algorithm_count;
    bool resident;
};

/* Takes a body, type first, which must outlive the request. False: a violation. */
bool request_parse(const uint8_t *body, size_t length, struct request *request);
/*
 * The PIN of a PIN frame into `pin`, and which PIN-WANTED it answers. False: a violation. What no key can have as a
 * PIN becomes "".
 */
bool request_parse_pin(const uint8_t *body, size_t length, char pin[PIN_FIELD_MAX + 1], uint8_t *ask);

#endif
