#define _GNU_SOURCE

#include "ceremony.h"

#include <string.h>

enum {
    /* How long a touch is waited for before it is looked whether to stop. */
    TOUCH_SLICE_MS = 200,
    /* Pause between attempts with a key that gave up, so that one that gives up at once does not keep a core busy. */
    PACE_MS = 100,
    /* Retries are worth a word when so few are left. */
    FEW_RETRIES = 5,
};

/* The key waited for its own while, some 30 s: it is made to blink again. */
static bool gave_up(int status) {
    switch (status) {
    case FIDO_ERR_ACTION_TIMEOUT:
    case FIDO_ERR_USER_ACTION_TIMEOUT:
    case FIDO_ERR_OPERATION_DENIED:
    case FIDO_ERR_KEEPALIVE_CANCEL:
    case FIDO_ERR_TIMEOUT:
        return true;
    default:
        return false;
    }
}

static bool wants_pin(int status) {
    return status == FIDO_ERR_PIN_REQUIRED || status == FIDO_ERR_UV_BLOCKED || status == FIDO_ERR_UNAUTHORIZED_PERM;
}

static bool is_wrong_pin(int status) {
    return status == FIDO_ERR_PIN_INVALID || status == FIDO_ERR_PIN_AUTH_INVALID ||
           status == FIDO_ERR_PIN_POLICY_VIOLATION;
}

enum means means_of(const struct key *key, enum user_verification wanted) {
    if (wanted == UV_DISCOURAGED)
        return MEANS_NONE;
    if (key->built_in)
        return MEANS_BUILT_IN;
    if (key->has_pin)
        return MEANS_PIN;
    return wanted == UV_REQUIRED ? MEANS_LACKING : MEANS_NONE;
}

/*
 * Waits until the key that blinks is touched. libfido2 says nothing of a key that is gone: the main thread sees
 * it, and stops the worker.
 */
static enum ending touch_seen(struct worker *worker, struct key *key) {
    for (;;) {
        int64_t before = session_now();
        int touched = 0;
        int status = fido_dev_get_touch_status(key->device, &touched, TOUCH_SLICE_MS);

        if (worker_stopped(worker))
            return ENDING_STOPPED;
        if (status == FIDO_OK && touched != 0)
            return ENDING_NONE;
        if (status != FIDO_OK && !gave_up(status))
            return ENDING_LOST;
        if (session_now() - before < TOUCH_SLICE_MS / 2)
            worker_nap(worker, PACE_MS);
        if (status != FIDO_OK && fido_dev_get_touch_begin(key->device) != FIDO_OK)
            return ENDING_LOST;
    }
}

static enum ending await_touch(struct worker *worker, struct key *key) {
    enum ending ending;

    (void)fido_dev_set_timeout(key->device, SILENT_MS);
    worker_enter(worker, key->device);
    ending = fido_dev_get_touch_begin(key->device) == FIDO_OK ? touch_seen(worker, key) : ENDING_LOST;
    worker_leave(worker);
    return ending;
}

enum ending refuse_at_touch(struct worker *worker, struct key *key, enum failure_reason reason, const char *detail) {
    enum ending ending = await_touch(worker, key);

    return ending == ENDING_NONE ? worker_fail(worker, reason, detail) : ending;
}

static enum ending pin_blocked(struct worker *worker) {
    return worker_fail(worker, REASON_PIN_BLOCKED, "the key's PIN is blocked");
}

/* Asks for the PIN of the one key that goes on. */
static enum ending obtain_pin(struct ceremony *ceremony, enum pin_why why) {
    struct worker *worker = ceremony->worker;
    int retries = -1;
    int status;

    (void)fido_dev_set_timeout(ceremony->key->device, SILENT_MS);
    status = fido_dev_get_retry_count(ceremony->key->device, &retries);
    if (status == FIDO_ERR_PIN_BLOCKED || (status == FIDO_OK && retries == 0))
        return pin_blocked(worker);
    if (status != FIDO_OK || (why == PIN_FIRST && retries > FEW_RETRIES))
        retries = -1;
    return worker_ask_pin(worker, why, retries) ? ENDING_NONE : ENDING_STOPPED;
}

/*
 * The key has the PIN's user in front of it: a key that was touched, or the only one.
 * Invariants: a PIN is asked for once, and again only after a wrong one.
 */
static enum ending with_pin(struct ceremony *ceremony) {
    struct worker *worker = ceremony->worker;
    enum pin_why why = PIN_FIRST;
    enum ending ending = ENDING_NONE;
    int status = FIDO_ERR_PIN_INVALID;

    if (!worker_is_only(worker))
        ending = await_touch(worker, ceremony->key);
    if (ending == ENDING_NONE && !worker_claim(worker))
        ending = ENDING_STOPPED;
    while (ending == ENDING_NONE && is_wrong_pin(status)) {
        ending = obtain_pin(ceremony, why);
        if (ending == ENDING_NONE && worker->pin[0] != '\0')
            status = ceremony->check(ceremony, worker->pin);
        why = PIN_WRONG;
    }
    if (ending != ENDING_NONE || status == FIDO_OK)
        return ending;
    switch (status) {
    case FIDO_ERR_PIN_BLOCKED:
    case FIDO_ERR_PIN_AUTH_BLOCKED:
        return pin_blocked(worker);
    case FIDO_ERR_NO_CREDENTIALS:
        return refuse_at_touch(worker, ceremony->key, REASON_WRONG_KEY, "the key holds none of the credentials");
    case FIDO_ERR_CREDENTIAL_EXCLUDED:
        return refuse_at_touch(worker, ceremony->key, REASON_EXCLUDED, "the key holds a credential of the account");
    default:
        return ENDING_LOST;
    }
}

/* What the key's answer means for the call. ENDING_NONE: try again. */
static enum ending ending_of(struct ceremony *ceremony, int status, struct frame_out *frame) {
    struct worker *worker = ceremony->worker;

    if (worker_stopped(worker))
        return ENDING_STOPPED;
    if (status == FIDO_ERR_UV_INVALID || gave_up(status)) {
        worker_nap(worker, PACE_MS);
        return ENDING_NONE;
    }
    switch (status) {
    case FIDO_OK:
        return worker_decide(worker, frame);
    case FIDO_ERR_PIN_BLOCKED:
    case FIDO_ERR_PIN_AUTH_BLOCKED:
        return pin_blocked(worker);
    case FIDO_ERR_NO_CREDENTIALS:
        return worker_fail(worker, REASON_WRONG_KEY, "the key holds none of the credentials");
    case FIDO_ERR_CREDENTIAL_EXCLUDED:
        return worker_fail(worker, REASON_EXCLUDED, "the key holds a credential of the account");
    case FIDO_ERR_KEY_STORE_FULL:
        return worker_fail(worker, REASON_KEY_FULL, "the key has no room for a resident credential");
    case FIDO_ERR_UNSUPPORTED_ALGORITHM:
    case FIDO_ERR_UNSUPPORTED_OPTION:
    case FIDO_ERR_INVALID_OPTION:
    case FIDO_ERR_REQUEST_TOO_LARGE:
        return refuse_at_touch(worker, ceremony->key, REASON_UNSUPPORTED, "the key does not support the request");
    default:
        return ENDING_LOST;
    }
}

/* The fingerprint was not recognised, or the credential itself requires more: the PIN is next. */
static bool turn_to_pin(struct ceremony *ceremony, int status) {
    if (!wants_pin(status) || ceremony->means == MEANS_PIN)
        return false;
    if (ceremony->means == MEANS_NONE && ceremony->key->built_in && status == FIDO_ERR_PIN_REQUIRED)
        ceremony->means = MEANS_BUILT_IN;
    else
        ceremony->means = ceremony->key->has_pin ? MEANS_PIN : MEANS_LACKING;
    return true;
}

enum ending ceremony_run(struct ceremony *ceremony) {
    struct worker *worker = ceremony->worker;
    enum ending ending = ENDING_NONE;
    bool pin_known = false;
    uint8_t bytes[FRAME_SIZE_MAX];
    struct frame_out frame = {.bytes = bytes, .size = sizeof(bytes)};

    while (ending == ENDING_NONE) {
        int status;

        if (ceremony->means == MEANS_LACKING)
            return refuse_at_touch(worker, ceremony->key, REASON_NO_PIN,
                                   "the key has neither PIN nor fingerprint set up");
        if (ceremony->means == MEANS_PIN && !pin_known) {
            ending = with_pin(ceremony);
            pin_known = ending == ENDING_NONE;
            continue;
        }
        (void)fido_dev_set_timeout(ceremony->key->device, worker_patience(worker));
        worker_enter(worker, ceremony->key->device);
        status = ceremony->perform(ceremony, pin_known ? worker->pin : NULL, &frame);
        worker_leave(worker);
        if (!turn_to_pin(ceremony, status))
            ending = ending_of(ceremony, status, &frame);
    }
    explicit_bzero(worker->pin, sizeof(worker->pin));
    return ending;
}
