#define _GNU_SOURCE

#include "key.h"

#include <string.h>

#include "devices.h"

enum {
    /* CTAP 2.1 lets a key that does not say how many ids it takes take one. */
    IDS_UNSAID = 1,
    IDS_MOST = 8,
};

static void read_options(struct key *key, const fido_cbor_info_t *info) {
    char **names = fido_cbor_info_options_name_ptr(info);
    const bool *values = fido_cbor_info_options_value_ptr(info);

    for (size_t i = 0; i < fido_cbor_info_options_len(info); i++) {
        if (strcmp(names[i], "makeCredUvNotRqd") == 0)
            key->makes_without = values[i];
    }
}

static void read_info(struct key *key, const fido_cbor_info_t *info) {
    uint64_t most = fido_cbor_info_maxcredcntlst(info);
    size_t count = fido_cbor_info_algorithm_count(info);

    read_options(key, info);
    key->ids_most = most == 0 ? IDS_UNSAID : most > IDS_MOST ? IDS_MOST : (size_t)most;
    key->id_longest = (size_t)fido_cbor_info_maxcredidlen(info);
    for (size_t i = 0; i < count && i < KEY_ALGORITHMS_MAX; i++)
        key->algorithms[key->algorithm_count++] = fido_cbor_info_algorithm_cose(info, i);
}

bool key_open(struct key *key, const char *path, int timeout) {
    /* A handle's length is one byte on the wire of U2F. */
    enum { U2F_HANDLE_MAX = 255 };
    fido_cbor_info_t *info = NULL;

    memset(key, 0, sizeof(*key));
    key->device = devices_open(path, timeout);
    if (key->device == NULL)
        return false;
    key->fido2 = fido_dev_is_fido2(key->device);
    key->has_pin = key->fido2 && fido_dev_has_pin(key->device);
    key->built_in = key->fido2 && fido_dev_has_uv(key->device);
    /* U2F is asked for one handle at a time anyway, and one that it calls malformed must not hide the others. */
    key->ids_most = 1;
    key->id_longest = key->fido2 ? 0 : U2F_HANDLE_MAX;
    if (!key->fido2)
        return true;
    info = fido_cbor_info_new();
    if (info == NULL || fido_dev_get_cbor_info(key->device, info) != FIDO_OK)
        key_close(key);
    else
        read_info(key, info);
    fido_cbor_info_free(&info);
    return key->device != NULL;
}

void key_close(struct key *key) {
    if (key->device != NULL)
        (void)fido_dev_close(key->device);
    fido_dev_free(&key->device);
}

int cose_algorithm(uint8_t algorithm) {
    switch (algorithm) {
    case ALGORITHM_EDDSA:
        return COSE_EDDSA;
    case ALGORITHM_RS256:
        return COSE_RS256;
    default:
        return COSE_ES256;
    }
}

bool key_has_algorithm(const struct key *key, int cose) {
    if (!key->fido2)
        return cose == COSE_ES256;
    for (size_t i = 0; i < key->algorithm_count; i++) {
        if (key->algorithms[i] == cose)
            return true;
    }
    return key->algorithm_count == 0;
}

/*
 * Invariants: what the key signs without a touch is over a hash of our own, never over the daemon's: nothing that
 * it says here could be passed off as an answer.
 */
static fido_assert_t *silent_assertion(const char *rp_id) {
    static const uint8_t nothing[HASH_LENGTH];
    fido_assert_t *assertion = fido_assert_new();

    if (assertion != NULL && (fido_assert_set_clientdata_hash(assertion, nothing, sizeof(nothing)) != FIDO_OK ||
                              fido_assert_set_rp(assertion, rp_id) != FIDO_OK ||
                              fido_assert_set_up(assertion, FIDO_OPT_FALSE) != FIDO_OK))
        fido_assert_free(&assertion);
    return assertion;
}

const struct credential *same_id(const struct credential *first, size_t count, const uint8_t *id, size_t length) {
    /* A key may leave the id out, when there was but one to choose from. */
    if (id == NULL || length == 0)
        return count == 1 ? first : NULL;
    for (size_t i = 0; i < count; i++) {
        if (first[i].length == length && memcmp(first[i].id, id, length) == 0)
            return &first[i];
    }
    return NULL;
}

/* Asks for ids[0 .. count). Returns a code of libfido2's. */
static int ask_silently(struct key *key, const char *rp_id, const struct credential *ids, size_t count,
                        const char *pin, const struct credential **found) {
    fido_assert_t *assertion = silent_assertion(rp_id);
    int status = assertion == NULL ? FIDO_ERR_INTERNAL : FIDO_OK;
    size_t asked = 0;

    *found = NULL;
    for (size_t i = 0; i < count && status == FIDO_OK; i++) {
        if (key->id_longest != 0 && ids[i].length > key->id_longest)
            continue;
        status = fido_assert_allow_cred(assertion, ids[i].id, ids[i].length);
        asked++;
    }
    if (status == FIDO_OK)
        status = asked == 0 ? FIDO_ERR_NO_CREDENTIALS : fido_dev_get_assert(key->device, assertion, pin);
    /* What U2F says of a handle that is its own. */
    if (status == FIDO_ERR_USER_PRESENCE_REQUIRED)
        status = FIDO_OK;
    if (status == FIDO_OK && count > 0) {
        *found = same_id(ids, count, fido_assert_id_ptr(assertion, 0), fido_assert_id_len(assertion, 0));
        status = *found == NULL ? FIDO_ERR_RX : FIDO_OK;
    }
    fido_assert_free(&assertion);
    return status;
}

/* Errors that say no more than that the key does not know these ids. */
static bool means_none(const struct key *key, int status) {
    switch (status) {
    case FIDO_ERR_NO_CREDENTIALS:
    case FIDO_ERR_INVALID_CREDENTIAL:
    case FIDO_ERR_LIMIT_EXCEEDED:
    case FIDO_ERR_INVALID_LENGTH:
    case FIDO_ERR_REQUEST_TOO_LARGE:
        return true;
    case FIDO_ERR_INTERNAL:
        /* libfido2 1.12 knows one of the two status words of U2F for a handle that is not the token's. */
        return !key->fido2;
    default:
        return false;
    }
}

/* Looks among the credentials of one group. */
static enum holding group_holds(struct key *key, const struct request *request, const struct group *group,
                                const char *pin, struct target *target, int *error) {
    const struct credential *ids = request->credentials + group->first;

    for (size_t at = 0; at < group->count; at += key->ids_most) {
        size_t left = group->count - at;
        const struct credential *found = NULL;

        *error = ask_silently(key, group->rp_id, ids + at, left < key->ids_most ? left : key->ids_most, pin, &found);
        if (*error == FIDO_OK) {
            *target = (struct target){.group = group, .credential = found};
            return HOLDS;
        }
        if (pin == NULL && *error == FIDO_ERR_PIN_REQUIRED)
            return HOLDS_HIDDEN;
        if (!means_none(key, *error))
            return HOLDS_UNKNOWN;
    }
    return HOLDS_NOT;
}

enum holding key_holds(struct key *key, const struct request *request, const char *pin, int timeout,
                       struct target *target, int *error) {
    enum holding holding = HOLDS_NOT;

    *target = (struct target){NULL, NULL};
    *error = FIDO_OK;
    (void)fido_dev_set_timeout(key->device, timeout);
    for (size_t i = 0; i < request->group_count && holding == HOLDS_NOT; i++)
        holding = group_holds(key, request, &request->groups[i], pin, target, error);
    return holding;
}

int key_tries_pin(struct key *key, const char *rp_id, const char *pin, int timeout) {
    static const uint8_t unknown_id[HASH_LENGTH];
    const struct credential none = {.id = unknown_id, .length = sizeof(unknown_id)};
    const struct credential *found = NULL;
    int status;

    (void)fido_dev_set_timeout(key->device, timeout);
    status = ask_silently(key, rp_id, &none, 1, pin, &found);
    return means_none(key, status) ? FIDO_OK : status;
}

bool cbor_bytes(const uint8_t *cbor, size_t length, const uint8_t **bytes, size_t *count) {
    /* Major type 2, and how many bytes of length follow it (RFC 8949, 3). */
    size_t header = length == 0 || cbor[0] >> 5 != 2 ? 0 : (cbor[0] & 0x1f) < 24 ? 1 : cbor[0] == 0x58 ? 2 : 3;
    size_t size = 0;

    if (header == 0 || length < header || (header == 3 && cbor[0] != 0x59))
        return false;
    for (size_t i = 1; i < header; i++)
        size = size << 8 | cbor[i];
    *count = header == 1 ? cbor[0] & 0x1f : size;
    *bytes = cbor + header;
    return *count == length - header;
}
