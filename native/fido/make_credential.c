#include "ceremony.h"

#include <string.h>

enum {
    /* Of what a key takes in one message, 1024 bytes at the least, for ids to exclude. */
    EXCLUDE_BYTES = 512,
    EXCLUDE_OVERHEAD = 24,
};

static int check(struct ceremony *ceremony, const char *pin) {
    const struct request *request = ceremony->request;
    struct target held;
    int error = FIDO_OK;

    if (request->credential_count == 0)
        return key_tries_pin(ceremony->key, request->groups[0].rp_id, pin, SILENT_MS);
    switch (key_holds(ceremony->key, request, pin, SILENT_MS, &held, &error)) {
    case HOLDS:
        return FIDO_ERR_CREDENTIAL_EXCLUDED;
    case HOLDS_UNKNOWN:
        return error;
    default:
        return FIDO_OK;
    }
}

/* Those that fit: the key was asked for all of them before, so this is for those that it does not list. */
static int exclude(const struct ceremony *ceremony, fido_cred_t *credential) {
    const struct request *request = ceremony->request;
    size_t bytes = 0;
    size_t count = 0;
    int status = FIDO_OK;

    for (size_t i = 0; ceremony->key->fido2 && i < request->credential_count && status == FIDO_OK; i++) {
        const struct credential *id = &request->credentials[i];

        bytes += id->length + EXCLUDE_OVERHEAD;
        if (count == ceremony->key->ids_most || bytes > EXCLUDE_BYTES)
            break;
        status = fido_cred_exclude(credential, id->id, id->length);
        count++;
    }
    return status;
}

static int fill(const struct ceremony *ceremony, fido_cred_t *credential, int algorithm) {
    const struct request *request = ceremony->request;
    int status = fido_cred_set_type(credential, algorithm);

    if (status == FIDO_OK)
        status = fido_cred_set_clientdata_hash(credential, request->client_data_hash, HASH_LENGTH);
    if (status == FIDO_OK)
        status = fido_cred_set_rp(credential, request->groups[0].rp_id, request->rp_name);
    if (status == FIDO_OK)
        status = fido_cred_set_user(credential, request->user_id, request->user_id_length, request->user_name,
                                    request->user_name, NULL);
    if (status == FIDO_OK && request->resident)
        status = fido_cred_set_rk(credential, FIDO_OPT_TRUE);
    if (status == FIDO_OK && ceremony->means == MEANS_BUILT_IN)
        status = fido_cred_set_uv(credential, FIDO_OPT_TRUE);
    return status == FIDO_OK ? exclude(ceremony, credential) : status;
}

/* Appends the header of a CBOR item of major type 2, and the bytes. */
static size_t put_bytes(uint8_t *to, const uint8_t *bytes, size_t length) {
    size_t header = length < 24 ? 1 : length < 256 ? 2 : 3;

    to[0] = (uint8_t)(0x40 | (header == 1 ? length : header == 2 ? 24 : 25));
    if (header == 2)
        to[1] = (uint8_t)length;
    if (header == 3) {
        to[1] = (uint8_t)(length >> 8);
        to[2] = (uint8_t)length;
    }
    memcpy(to + header, bytes, length);
    return header + length;
}

/*
 * The statement of a U2F token: {"sig": bytes, "x5c": [bytes]}. libfido2 puts an "alg" into it that Web
 * Authentication, 8.6, does not have there.
 */
static size_t u2f_statement(const fido_cred_t *made, uint8_t *to, size_t capacity) {
    static const uint8_t sig[] = {0xa2, 0x63, 's', 'i', 'g'};
    static const uint8_t x5c[] = {0x63, 'x', '5', 'c', 0x81};
    size_t at = sizeof(sig);

    if (fido_cred_sig_len(made) > SIGNATURE_MAX || fido_cred_x5c_len(made) > capacity - SIGNATURE_MAX - 32)
        return 0;
    memcpy(to, sig, sizeof(sig));
    at += put_bytes(to + at, fido_cred_sig_ptr(made), fido_cred_sig_len(made));
    memcpy(to + at, x5c, sizeof(x5c));
    at += sizeof(x5c);
    return at + put_bytes(to + at, fido_cred_x5c_ptr(made), fido_cred_x5c_len(made));
}

static int put_statement(const fido_cred_t *made, struct frame_out *frame) {
    uint8_t own[STATEMENT_MAX];
    const uint8_t *statement = fido_cred_attstmt_ptr(made);
    size_t length = fido_cred_attstmt_len(made);

    if (strcmp(fido_cred_fmt(made), "fido-u2f") == 0 && fido_cred_x5c_len(made) > 0) {
        statement = own;
        length = u2f_statement(made, own, sizeof(own));
    }
    if (statement == NULL || length == 0 || length > STATEMENT_MAX)
        return FIDO_ERR_RX;
    frame_put(frame, TAG_STATEMENT, statement, length);
    return FIDO_OK;
}

static int made_frame(const fido_cred_t *made, struct frame_out *frame) {
    const char *format = fido_cred_fmt(made);
    size_t id_length = fido_cred_id_len(made);
    const uint8_t *data = NULL;
    size_t length = 0;

    if (format == NULL || strlen(format) > FORMAT_MAX || id_length == 0 || id_length > CREDENTIAL_ID_MAX)
        return FIDO_ERR_RX;
    if (!cbor_bytes(fido_cred_authdata_ptr(made), fido_cred_authdata_len(made), &data, &length) ||
        length > AUTHENTICATOR_DATA_MAX)
        return FIDO_ERR_RX;
    frame_begin(frame, FRAME_MADE);
    frame_put(frame, TAG_FORMAT, format, strlen(format));
    frame_put(frame, TAG_AUTHENTICATOR_DATA, data, length);
    frame_put(frame, TAG_CREDENTIAL_ID, fido_cred_id_ptr(made), id_length);
    return put_statement(made, frame);
}

static int make_with(const struct ceremony *ceremony, int algorithm, const char *pin, struct frame_out *frame) {
    fido_cred_t *credential = fido_cred_new();
    int status = credential == NULL ? FIDO_ERR_INTERNAL : fill(ceremony, credential, algorithm);

    if (status == FIDO_OK)
        status = fido_dev_make_cred(ceremony->key->device, credential, pin);
    if (status == FIDO_OK)
        status = made_frame(credential, frame);
    fido_cred_free(&credential);
    return status;
}

static int perform(struct ceremony *ceremony, const char *pin, struct frame_out *frame) {
    const struct request *request = ceremony->request;
    int status = FIDO_ERR_UNSUPPORTED_ALGORITHM;

    for (size_t i = 0; i < request->algorithm_count && status == FIDO_ERR_UNSUPPORTED_ALGORITHM; i++) {
        int algorithm = cose_algorithm(request->algorithms[i]);

        if (key_has_algorithm(ceremony->key, algorithm))
            status = make_with(ceremony, algorithm, pin, frame);
    }
    return status;
}

/* A key that has a PIN asks for it, unless it says that it makes credentials without. */
static enum means means_to_make(const struct key *key, const struct request *request) {
    bool asks = !key->makes_without || request->resident;

    if (request->verification != UV_DISCOURAGED || !asks)
        return means_of(key, request->verification);
    return means_of(key, UV_PREFERRED);
}

enum ending make_run(struct worker *worker, struct key *key) {
    const struct request *request = worker->session->request;
    struct ceremony ceremony = {.worker = worker, .key = key, .request = request, .check = check, .perform = perform};
    struct target held;
    int error = FIDO_OK;

    ceremony.means = means_to_make(key, request);
    if (request->resident && !key->fido2)
        return refuse_at_touch(worker, key, REASON_UNSUPPORTED, "the key does not support resident credentials");
    switch (key_holds(key, request, NULL, SILENT_MS, &held, &error)) {
    case HOLDS:
        return refuse_at_touch(worker, key, REASON_EXCLUDED, "the key holds a credential of the account");
    case HOLDS_UNKNOWN:
        return ENDING_LOST;
    default:
        return ceremony_run(&ceremony);
    }
}
