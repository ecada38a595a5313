/*
 * Asks a key behind a Unix socket with libfido2, for test/fido/authenticator.test.ts:
 *   fido_probe SOCKET STEP...
 * A step is NAME=VALUE, that counts for the steps behind it, or something to do. What is done prints a line: the
 * step and how it ended.
 *   alg=es256|eddsa|rs256  pin=PIN  rk=1  uv=1  up=0|1  rp=ID  user=ID  hash=TEXT  force=u2f|fido2
 *   exclude=1  allow=0      what was made before is in the list of `make`, is not in that of `assert`
 *   timeout=MS              as the first step, of the opening too
 *   info            what the key says of itself
 *   make            a credential
 *   verify-make     its attestation
 *   assert          by the credentials that were made
 *   verify-assert   the assertion
 *   retries         tries of the PIN that are left
 *   set-pin         to PIN, from nothing or `old=PIN`
 *   touch           asks for a touch, and waits for it
 *   cancel          what timed out
 */
#include <errno.h>
#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { REPORT = 64, CREDENTIALS = 8 };

struct made {
    fido_cred_t *cred;
    int algorithm;
};

struct probe {
    fido_dev_t *dev;
    struct made made[CREDENTIALS];
    size_t count;
    fido_assert_t *assertion;
    int algorithm;
    fido_opt_t rk, uv, up;
    bool exclude, allow;
    const char *pin, *old, *rp, *user;
    unsigned char hash[32];
};

static void *connect_key(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int *socket_fd = malloc(sizeof(*socket_fd));

    if (socket_fd == NULL || strlen(path) >= sizeof(address.sun_path))
        abort();
    strcpy(address.sun_path, path);
    *socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(*socket_fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return socket_fd;
    (void)close(*socket_fd);
    free(socket_fd);
    return NULL;
}

static void close_key(void *handle) {
    (void)close(*(int *)handle);
    free(handle);
}

static int read_report(void *handle, unsigned char *report, size_t length, int ms) {
    int socket_fd = *(int *)handle;
    size_t got = 0;

    if (length != REPORT)
        return -1;
    while (got < length) {
        struct pollfd waited = {.fd = socket_fd, .events = POLLIN};
        ssize_t more;

        if (poll(&waited, 1, ms) != 1)
            return -1;
        more = read(socket_fd, report + got, length - got);
        if (more <= 0)
            return -1;
        got += (size_t)more;
    }
    return (int)got;
}

/* The number of the report, which is 0, goes before it and is not sent. */
static int write_report(void *handle, const unsigned char *report, size_t length) {
    if (length != REPORT + 1 || send(*(int *)handle, report + 1, REPORT, MSG_NOSIGNAL) != REPORT)
        return -1;
    return (int)length;
}

static void said(const char *step, int code) {
    printf("%s %s\n", step, fido_strerr(code));
}

static int make(struct probe *probe) {
    fido_cred_t *cred = fido_cred_new();
    int code;

    if (cred == NULL || probe->count == CREDENTIALS)
        abort();
    if (fido_cred_set_type(cred, probe->algorithm) != FIDO_OK ||
        fido_cred_set_clientdata_hash(cred, probe->hash, sizeof(probe->hash)) != FIDO_OK ||
        fido_cred_set_rp(cred, probe->rp, "a test") != FIDO_OK ||
        fido_cred_set_user(cred, (const unsigned char *)probe->user, strlen(probe->user), probe->user, NULL,
                           NULL) != FIDO_OK ||
        fido_cred_set_rk(cred, probe->rk) != FIDO_OK || fido_cred_set_uv(cred, probe->uv) != FIDO_OK)
        abort();
    for (size_t i = 0; probe->exclude && i < probe->count; i++)
        if (fido_cred_exclude(cred, fido_cred_id_ptr(probe->made[i].cred),
                              fido_cred_id_len(probe->made[i].cred)) != FIDO_OK)
            abort();
    code = fido_dev_make_cred(probe->dev, cred, probe->pin);
    if (code == FIDO_OK)
        probe->made[probe->count++] = (struct made){.cred = cred, .algorithm = probe->algorithm};
    else
        fido_cred_free(&cred);
    return code;
}

static int verify_make(struct probe *probe) {
    fido_cred_t *cred = probe->count > 0 ? probe->made[probe->count - 1].cred : NULL;

    if (cred == NULL)
        return FIDO_ERR_NOTFOUND;
    printf("fmt %s\n", fido_cred_fmt(cred));
    printf("made with flags %02x\n", fido_cred_flags(cred));
    return fido_cred_x5c_ptr(cred) != NULL ? fido_cred_verify(cred) : fido_cred_verify_self(cred);
}

static int ask(struct probe *probe) {
    fido_assert_free(&probe->assertion);
    probe->assertion = fido_assert_new();
    if (probe->assertion == NULL || fido_assert_set_rp(probe->assertion, probe->rp) != FIDO_OK ||
        fido_assert_set_clientdata_hash(probe->assertion, probe->hash, sizeof(probe->hash)) != FIDO_OK ||
        fido_assert_set_up(probe->assertion, probe->up) != FIDO_OK ||
        fido_assert_set_uv(probe->assertion, probe->uv) != FIDO_OK)
        abort();
    for (size_t i = 0; probe->allow && i < probe->count; i++)
        if (fido_assert_allow_cred(probe->assertion, fido_cred_id_ptr(probe->made[i].cred),
                                   fido_cred_id_len(probe->made[i].cred)) != FIDO_OK)
            abort();
    return fido_dev_get_assert(probe->dev, probe->assertion, probe->pin);
}

static int verify_with(fido_assert_t *assertion, const struct made *made) {
    const unsigned char *key = fido_cred_pubkey_ptr(made->cred);
    size_t length = fido_cred_pubkey_len(made->cred);
    es256_pk_t *es256 = es256_pk_new();
    eddsa_pk_t *eddsa = eddsa_pk_new();
    rs256_pk_t *rs256 = rs256_pk_new();
    int code;

    if (made->algorithm == COSE_ES256 && es256_pk_from_ptr(es256, key, length) == FIDO_OK)
        code = fido_assert_verify(assertion, 0, made->algorithm, es256);
    else if (made->algorithm == COSE_EDDSA && eddsa_pk_from_ptr(eddsa, key, length) == FIDO_OK)
        code = fido_assert_verify(assertion, 0, made->algorithm, eddsa);
    else if (made->algorithm == COSE_RS256 && rs256_pk_from_ptr(rs256, key, length) == FIDO_OK)
        code = fido_assert_verify(assertion, 0, made->algorithm, rs256);
    else
        code = FIDO_ERR_INVALID_ARGUMENT;
    es256_pk_free(&es256);
    eddsa_pk_free(&eddsa);
    rs256_pk_free(&rs256);
    return code;
}

static int verify_assert(struct probe *probe) {
    fido_assert_t *assertion = probe->assertion;

    if (assertion == NULL || fido_assert_count(assertion) == 0)
        return FIDO_ERR_NOTFOUND;
    printf("asserted with flags %02x\n", fido_assert_flags(assertion, 0));
    printf("counter %u\n", fido_assert_sigcount(assertion, 0));
    if (fido_assert_user_id_ptr(assertion, 0) != NULL)
        printf("user %.*s\n", (int)fido_assert_user_id_len(assertion, 0),
               (const char *)fido_assert_user_id_ptr(assertion, 0));
    for (size_t i = 0; i < probe->count; i++) {
        const fido_cred_t *cred = probe->made[i].cred;

        /* U2F does not say which. */
        if (fido_assert_id_len(assertion, 0) == 0 ||
            (fido_assert_id_len(assertion, 0) == fido_cred_id_len(cred) &&
             memcmp(fido_assert_id_ptr(assertion, 0), fido_cred_id_ptr(cred), fido_cred_id_len(cred)) == 0))
            return verify_with(assertion, &probe->made[i]);
    }
    return FIDO_ERR_NOTFOUND;
}

static int info(struct probe *probe) {
    fido_cbor_info_t *found = fido_cbor_info_new();
    int code = fido_dev_get_cbor_info(probe->dev, found);

    if (code == FIDO_OK) {
        printf("versions");
        for (size_t i = 0; i < fido_cbor_info_versions_len(found); i++)
            printf(" %s", fido_cbor_info_versions_ptr(found)[i]);
        printf("\noptions");
        for (size_t i = 0; i < fido_cbor_info_options_len(found); i++)
            printf(" %s=%d", fido_cbor_info_options_name_ptr(found)[i],
                   fido_cbor_info_options_value_ptr(found)[i]);
        printf("\nprotocols");
        for (size_t i = 0; i < fido_cbor_info_protocols_len(found); i++)
            printf(" %d", fido_cbor_info_protocols_ptr(found)[i]);
        printf("\nalgorithms");
        for (size_t i = 0; i < fido_cbor_info_algorithm_count(found); i++)
            printf(" %d", fido_cbor_info_algorithm_cose(found, i));
        printf("\n");
    }
    fido_cbor_info_free(&found);
    return code;
}

static int touch(struct probe *probe) {
    int touched = 0;
    int code = fido_dev_get_touch_begin(probe->dev);

    while (code == FIDO_OK && touched == 0)
        code = fido_dev_get_touch_status(probe->dev, &touched, 100);
    return code;
}

static int retries(struct probe *probe) {
    int left = 0;
    int code = fido_dev_get_retry_count(probe->dev, &left);

    if (code == FIDO_OK)
        printf("left %d\n", left);
    return code;
}

static void set(struct probe *probe, const char *name, const char *value) {
    if (strcmp(name, "alg") == 0)
        probe->algorithm = strcmp(value, "rs256") == 0   ? COSE_RS256
                           : strcmp(value, "eddsa") == 0 ? COSE_EDDSA
                                                         : COSE_ES256;
    else if (strcmp(name, "pin") == 0)
        probe->pin = value[0] == '\0' ? NULL : value;
    else if (strcmp(name, "old") == 0)
        probe->old = value;
    else if (strcmp(name, "rk") == 0)
        probe->rk = value[0] == '1' ? FIDO_OPT_TRUE : FIDO_OPT_OMIT;
    else if (strcmp(name, "uv") == 0)
        probe->uv = value[0] == '1' ? FIDO_OPT_TRUE : FIDO_OPT_OMIT;
    else if (strcmp(name, "up") == 0)
        probe->up = value[0] == '0' ? FIDO_OPT_FALSE : FIDO_OPT_TRUE;
    else if (strcmp(name, "rp") == 0)
        probe->rp = value;
    else if (strcmp(name, "user") == 0)
        probe->user = value;
    else if (strcmp(name, "hash") == 0)
        memcpy(probe->hash, value, strnlen(value, sizeof(probe->hash)));
    else if (strcmp(name, "exclude") == 0)
        probe->exclude = value[0] == '1';
    else if (strcmp(name, "allow") == 0)
        probe->allow = value[0] == '1';
    else if (strcmp(name, "timeout") == 0)
        (void)fido_dev_set_timeout(probe->dev, atoi(value));
    else if (strcmp(name, "force") == 0 && strcmp(value, "u2f") == 0)
        fido_dev_force_u2f(probe->dev);
    else if (strcmp(name, "force") == 0)
        fido_dev_force_fido2(probe->dev);
    else
        abort();
}

static int perform(struct probe *probe, const char *step) {
    if (strcmp(step, "info") == 0)
        return info(probe);
    if (strcmp(step, "make") == 0)
        return make(probe);
    if (strcmp(step, "verify-make") == 0)
        return verify_make(probe);
    if (strcmp(step, "assert") == 0)
        return ask(probe);
    if (strcmp(step, "verify-assert") == 0)
        return verify_assert(probe);
    if (strcmp(step, "retries") == 0)
        return retries(probe);
    if (strcmp(step, "set-pin") == 0)
        return fido_dev_set_pin(probe->dev, probe->pin, probe->old);
    if (strcmp(step, "touch") == 0)
        return touch(probe);
    if (strcmp(step, "cancel") == 0)
        return fido_dev_cancel(probe->dev);
    abort();
}

int main(int argc, char **argv) {
    static const fido_dev_io_t io = {connect_key, close_key, read_report, write_report};
    struct probe probe = {.algorithm = COSE_ES256, .allow = true, .rp = "login.example", .user = "alice"};
    int code;

    if (argc < 2)
        return 2;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    fido_init(getenv("FIDO_PROBE_DEBUG") != NULL ? FIDO_DEBUG : 0);
    probe.dev = fido_dev_new();
    if (probe.dev == NULL || fido_dev_set_io_functions(probe.dev, &io) != FIDO_OK)
        abort();
    (void)fido_dev_set_timeout(probe.dev, 5000);
    if (argc > 2 && strncmp(argv[2], "timeout=", strlen("timeout=")) == 0)
        set(&probe, "timeout", argv[2] + strlen("timeout="));
    code = fido_dev_open(probe.dev, argv[1]);
    printf("open %s%s\n", fido_strerr(code), code == FIDO_OK && fido_dev_is_fido2(probe.dev) ? " fido2" : "");
    for (int i = 2; code == FIDO_OK && i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value == NULL) {
            said(argv[i], perform(&probe, argv[i]));
        } else {
            *value = '\0';
            set(&probe, argv[i], value + 1);
        }
    }
    (void)fido_dev_close(probe.dev);
    fido_dev_free(&probe.dev);
    fido_assert_free(&probe.assertion);
    while (probe.count > 0)
        fido_cred_free(&probe.made[--probe.count].cred);
    return 0;
}
