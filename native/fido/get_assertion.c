#include "ceremony.h"

static int check(struct ceremony *ceremony, const char *pin) {
    const struct target known = ceremony->target;
    int error = FIDO_OK;

    if (known.credential != NULL)
        return key_tries_pin(ceremony->key, known.group->rp_id, pin, SILENT_MS);
    switch (key_holds(ceremony->key, ceremony->request, pin, SILENT_MS, &ceremony->target, &error)) {
    case HOLDS:
        return FIDO_OK;
    case HOLDS_UNKNOWN:
        return error;
    default:
        return FIDO_ERR_NO_CREDENTIALS;
    }
}

/*
 * Invariants: the key was touched (the daemon checks it again under the signature), and the answer is of a credential
 * that was asked for.
 */
static int answer_frame(const fido_assert_t *answer, const struct credential *ids, size_t count,
                        struct frame_out *frame) {
    const struct credential *id = same_id(ids, count, fido_assert_id_ptr(answer, 0), fido_assert_id_len(answer, 0));
    const uint8_t *data = NULL;
    size_t length = 0;

    if (fido_assert_count(answer) != 1 || id == NULL || fido_assert_sig_len(answer, 0) == 0)
        return FIDO_ERR_RX;
    if (!cbor_bytes(fido_assert_authdata_ptr(answer, 0), fido_assert_authdata_len(answer, 0), &data, &length))
        return FIDO_ERR_RX;
    if (length > AUTHENTICATOR_DATA_MAX || fido_assert_sig_len(answer, 0) > SIGNATURE_MAX)
        return FIDO_ERR_RX;
    frame_begin(frame, FRAME_ASSERTED);
    frame_put(frame, TAG_CREDENTIAL_ID, id->id, id->length);
    frame_put(frame, TAG_AUTHENTICATOR_DATA, data, length);
    frame_put(frame, TAG_SIGNATURE, fido_assert_sig_ptr(answer, 0), fido_assert_sig_len(answer, 0));
    return FIDO_OK;
}

static int ask(struct ceremony *ceremony, const char *rp_id, const struct credential *ids, size_t count,
               const char *pin, struct frame_out *frame) {
    fido_assert_t *assertion = fido_assert_new();
    int status = assertion == NULL ? FIDO_ERR_INTERNAL : FIDO_OK;

    if (status == FIDO_OK)
        status = fido_assert_set_clientdata_hash(assertion, ceremony->request->client_data_hash, HASH_LENGTH);
    if (status == FIDO_OK)
        status = fido_assert_set_rp(assertion, rp_id);
    if (status == FIDO_OK && ceremony->key->fido2)
        status = fido_assert_set_up(assertion, FIDO_OPT_TRUE);
    if (status == FIDO_OK && ceremony->means == MEANS_BUILT_IN)
        status = fido_assert_set_uv(assertion, FIDO_OPT_TRUE);
    for (size_t i = 0; i < count && status == FIDO_OK; i++)
        status = fido_assert_allow_cred(assertion, ids[i].id, ids[i].length);
    if (status == FIDO_OK)
        status = fido_dev_get_assert(ceremony->key->device, assertion, pin);
    if (status == FIDO_OK)
        status = answer_frame(assertion, ids, count, frame);
    fido_assert_free(&assertion);
    return status;
}

/* Credentials that the key does not list can only be requested with a touch, group by group. */
static int ask_all(struct ceremony *ceremony, const char *pin, struct frame_out *frame) {
    const struct request *request = ceremony->request;
    int status = FIDO_ERR_NO_CREDENTIALS;

    for (size_t i = 0; i < request->group_count; i++) {
        const struct group *group = &request->groups[i];

        for (size_t at = 0; at < group->count && status == FIDO_ERR_NO_CREDENTIALS; at += ceremony->key->ids_most) {
            size_t left = group->count - at;
            size_t count = left < ceremony->key->ids_most ? left : ceremony->key->ids_most;

            status = ask(ceremony, group->rp_id, request->credentials + group->first + at, count, pin, frame);
        }
    }
    return status;
}

static int perform(struct ceremony *ceremony, const char *pin, struct frame_out *frame) {
    const struct target *target = &ceremony->target;

    if (target->credential == NULL)
        return ask_all(ceremony, pin, frame);
    return ask(ceremony, target->group->rp_id, target->credential, 1, pin, frame);
}

enum ending assert_run(struct worker *worker, struct key *key) {
    const struct request *request = worker->session->request;
    struct ceremony ceremony = {.worker = worker, .key = key, .request = request, .check = check, .perform = perform};
    int error = FIDO_OK;
    enum holding holding = key_holds(key, request, NULL, SILENT_MS, &ceremony.target, &error);
    bool may_hide;

    ceremony.means = means_of(key, request->verification);
    may_hide = request->verification == UV_REQUIRED && ceremony.means != MEANS_LACKING;
    if (holding == HOLDS_UNKNOWN)
        return ENDING_LOST;
    if (holding == HOLDS_NOT && !may_hide)
        return refuse_at_touch(worker, key, REASON_WRONG_KEY, "the key holds none of the credentials");
    return ceremony_run(&ceremony);
}
