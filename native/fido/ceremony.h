/* From an opened key to an outcome: what MAKE and ASSERT have in common, and the two themselves. */
#ifndef SALLYPORT_FIDO_CEREMONY_H
#define SALLYPORT_FIDO_CEREMONY_H

#include "key.h"
#include "worker.h"

enum {
    /* What needs no finger is answered within milliseconds; a PIN takes some keys half a second. */
    SILENT_MS = 3000,
};

/* How a key verifies its user. */
enum means {
    MEANS_NONE,
    MEANS_BUILT_IN,
    MEANS_PIN,
    /* It should, and cannot. */
    MEANS_LACKING,
};

struct ceremony {
    struct worker *worker;
    struct key *key;
    const struct request *request;
    enum means means;
    /* ASSERT: the credential that the key holds; NULL members: it may hold one that it does not list. */
    struct target target;
    /* After the PIN came and before the finger does. FIDO_OK: go on. Codes are libfido2's. */
    int (*check)(struct ceremony *ceremony, const char *pin);
    /* Waits for the finger; FIDO_OK: `frame` holds the outcome. */
    int (*perform)(struct ceremony *ceremony, const char *pin, struct frame_out *frame);
};

enum ending assert_run(struct worker *worker, struct key *key);
enum ending make_run(struct worker *worker, struct key *key);

/* What to do about user verification, credentials and algorithms left aside. */
enum means means_of(const struct key *key, enum user_verification wanted);
enum ending ceremony_run(struct ceremony *ceremony);
/* Blinks; when it is touched the call fails with `reason`. */
enum ending refuse_at_touch(struct worker *worker, struct key *key, enum failure_reason reason, const char *detail);

#endif
