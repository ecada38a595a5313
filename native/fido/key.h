/* An opened key: what it can do, and what it holds. No threads, no daemon. */
#ifndef SALLYPORT_FIDO_KEY_H
#define SALLYPORT_FIDO_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fido.h>

#include "request.h"

enum { KEY_ALGORITHMS_MAX = 16 };

struct key {
    fido_dev_t *device;
    bool fido2;
    bool has_pin;
    /* A finger, or whatever else it checks by itself, is set up. */
    bool built_in;
    /* Makes credentials without a PIN, though it has one. */
    bool makes_without;
    /* Credential ids that go into one request, and the longest that it takes; 0: it does not say. */
    size_t ids_most;
    size_t id_longest;
    /* Best first; none: it does not say. */
    int algorithms[KEY_ALGORITHMS_MAX];
    size_t algorithm_count;
};

/* Who is asked for: one credential of a group. */
struct target {
    const struct group *group;
    const struct credential *credential;
};

enum holding { HOLDS, HOLDS_NOT, HOLDS_HIDDEN, HOLDS_UNKNOWN };

bool key_open(struct key *key, const char *path, int timeout);
void key_close(struct key *key);
bool key_has_algorithm(const struct key *key, int cose);
int cose_algorithm(uint8_t algorithm);

/*
 * Whether the key has one of the request's credentials, without a touch. With a PIN it sees those as well that are
 * not listed without. HOLDS_UNKNOWN: look at `*error`, a code of libfido2's.
 */
enum holding key_holds(struct key *key, const struct request *request, const char *pin, int timeout,
                       struct target *target, int *error);
/* FIDO_OK when the key takes the PIN; needs no touch. */
int key_tries_pin(struct key *key, const char *rp_id, const char *pin, int timeout);

/* Which of first[0 .. count) the key means; NULL: none of them. */
const struct credential *same_id(const struct credential *first, size_t count, const uint8_t *id, size_t length);

/* Of a CBOR byte string: the bytes after its header. False: it is not one. */
bool cbor_bytes(const uint8_t *cbor, size_t length, const uint8_t **bytes, size_t *count);

#endif
