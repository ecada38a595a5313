/*
 * What pam_u2f does with a security key's answer once it was touched, over and over: the key of its file is
 * read, and libfido2 verifies the assertion with it (fido_assert_verify).
 *
 *   verify_assertion MILLISECONDS RP_ID CLIENT_DATA_HASH AUTHENTICATOR_DATA SIGNATURE POINT
 *
 * The last four in hex; POINT is X and Y of the ES256 key. Prints the nanoseconds of each verification, a line
 * each, then "cpu" and the nanoseconds of CPU of all of them. Status 1: one was not valid.
 */
#include <fido.h>
#include <fido/es256.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WARM_UP = 100, MOST = 1000000, MOST_BYTES = 512 };

struct bytes {
    unsigned char data[MOST_BYTES];
    size_t length;
};

static int64_t now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int read_hex(const char *text, struct bytes *bytes) {
    const size_t length = strlen(text) / 2;
    if (length > MOST_BYTES)
        return -1;
    for (size_t i = 0; i < length; i++) {
        unsigned int byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1)
            return -1;
        bytes->data[i] = (unsigned char)byte;
    }
    bytes->length = length;
    return 0;
}

/* 1: valid. */
static int verify(const char *rp_id, const struct bytes *hash, const struct bytes *data, const struct bytes *signature,
                  const struct bytes *point) {
    es256_pk_t *key = es256_pk_new();
    fido_assert_t *assertion = fido_assert_new();
    const int valid =
        key != NULL && assertion != NULL && es256_pk_from_ptr(key, point->data, point->length) == FIDO_OK &&
        fido_assert_set_rp(assertion, rp_id) == FIDO_OK &&
        fido_assert_set_clientdata_hash(assertion, hash->data, hash->length) == FIDO_OK &&
        fido_assert_set_up(assertion, FIDO_OPT_TRUE) == FIDO_OK && fido_assert_set_count(assertion, 1) == FIDO_OK &&
        fido_assert_set_authdata_raw(assertion, 0, data->data, data->length) == FIDO_OK &&
        fido_assert_set_sig(assertion, 0, signature->data, signature->length) == FIDO_OK &&
        fido_assert_verify(assertion, 0, COSE_ES256, key) == FIDO_OK;
    fido_assert_free(&assertion);
    es256_pk_free(&key);
    return valid;
}

int main(int argc, char **argv) {
    static int64_t took[MOST];
    struct bytes parts[4];
    if (argc != 7) {
        fprintf(stderr, "usage: verify_assertion MILLISECONDS RP_ID HASH AUTHENTICATOR_DATA SIGNATURE POINT\n");
        return 2;
    }
    for (int i = 0; i < 4; i++) {
        if (read_hex(argv[3 + i], &parts[i]) != 0)
            return 2;
    }
    fido_init(0);
    for (int i = 0; i < WARM_UP; i++) {
        if (!verify(argv[2], &parts[0], &parts[1], &parts[2], &parts[3]))
            return 1;
    }
    const int64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    const int64_t end = now(CLOCK_MONOTONIC) + atoll(argv[1]) * 1000000;
    size_t count = 0;
    while (count < MOST && now(CLOCK_MONOTONIC) < end) {
        const int64_t start = now(CLOCK_MONOTONIC);
        if (!verify(argv[2], &parts[0], &parts[1], &parts[2], &parts[3]))
            return 1;
        took[count++] = now(CLOCK_MONOTONIC) - start;
    }
    const int64_t used = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    for (size_t i = 0; i < count; i++)
        printf("%lld\n", (long long)took[i]);
    printf("cpu %lld\n", (long long)used);
    return 0;
}
