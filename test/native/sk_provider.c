/*
 * A security key in software, for ssh and ssh-keygen (SecurityKeyProvider, -w): OpenSSH's PROTOCOL.u2f and
 * its middleware interface, version 10. The key handle is the private key, so that nothing is kept.
 *
 * SK_FLAGS: what the key says of each signature; 1 touched (so it is left out), 4 PIN or finger, 0 neither.
 */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { API_VERSION = 0x000a0000, GENERAL_FAILURE = -1, ALG_ECDSA = 0, ALG_ED25519 = 1, TOUCHED = 1 };
enum { SCALAR = 32, POINT = 65, ED25519_SIGNATURE = 64 };

struct enrolled {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_length;
    uint8_t *handle;
    size_t handle_length;
    uint8_t *signature;
    size_t signature_length;
    uint8_t *certificate;
    size_t certificate_length;
    uint8_t *authdata;
    size_t authdata_length;
};

struct signature {
    uint8_t flags;
    uint32_t counter;
    uint8_t *r;
    size_t r_length;
    uint8_t *s;
    size_t s_length;
};

static uint8_t *copy(const uint8_t *from, size_t length) {
    uint8_t *made = malloc(length);
    if (made != NULL)
        memcpy(made, from, length);
    return made;
}

uint32_t sk_api_version(void) { return API_VERSION; }

/* handle: of Ed25519 the seed; of ECDSA the scalar and the point. */
static EVP_PKEY *key_of(uint32_t alg, const uint8_t *handle, size_t length) {
    EVP_PKEY *key = NULL;
    if (alg == ALG_ED25519)
        return length != SCALAR ? NULL
                                : EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, handle, SCALAR);
    if (length != SCALAR + POINT)
        return NULL;
    OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
    BIGNUM *scalar = BN_bin2bn(handle, SCALAR, NULL);
    OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
    OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, handle + SCALAR, POINT);
    OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_PRIV_KEY, scalar);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(parts);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (EVP_PKEY_fromdata_init(context) <= 0 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params) <= 0)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(parts);
    BN_free(scalar);
    return key;
}

static int make_ed25519(uint8_t *public_key, size_t *public_length, uint8_t *handle, size_t *handle_length) {
    if (RAND_bytes(handle, SCALAR) != 1)
        return GENERAL_FAILURE;
    *handle_length = SCALAR;
    EVP_PKEY *key = key_of(ALG_ED25519, handle, SCALAR);
    int made = key == NULL ? 0 : EVP_PKEY_get_raw_public_key(key, public_key, public_length);
    EVP_PKEY_free(key);
    return made == 1 ? 0 : GENERAL_FAILURE;
}

static int make_ecdsa(uint8_t *public_key, size_t *public_length, uint8_t *handle, size_t *handle_length) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIGNUM *scalar = NULL;
    if (key == NULL || EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) != 1 ||
        BN_bn2binpad(scalar, handle, SCALAR) != SCALAR ||
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, public_key, POINT, public_length) != 1)
        return GENERAL_FAILURE;
    memcpy(handle + SCALAR, public_key, POINT);
    *handle_length = SCALAR + POINT;
    BN_free(scalar);
    EVP_PKEY_free(key);
    return 0;
}

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_length, const char *application,
              uint8_t flags, const char *pin, void **options, struct enrolled **out) {
    (void)challenge, (void)challenge_length, (void)application, (void)pin, (void)options;
    uint8_t public_key[POINT], handle[SCALAR + POINT], nothing[1] = {0};
    size_t public_length = sizeof public_key, handle_length = 0;
    int failed = alg == ALG_ED25519 ? make_ed25519(public_key, &public_length, handle, &handle_length)
                                    : make_ecdsa(public_key, &public_length, handle, &handle_length);
    struct enrolled *made = failed ? NULL : calloc(1, sizeof *made);
    if (made == NULL)
        return GENERAL_FAILURE;
    made->flags = flags;
    made->public_key = copy(public_key, public_length);
    made->public_key_length = public_length;
    made->handle = copy(handle, handle_length);
    made->handle_length = handle_length;
    made->signature = copy(nothing, sizeof nothing);
    made->signature_length = sizeof nothing;
    *out = made;
    return 0;
}

static int sign(uint32_t alg, EVP_PKEY *key, const uint8_t *message, size_t length, struct signature *made) {
    uint8_t bytes[128], half[SCALAR];
    size_t size = sizeof bytes;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *digest = alg == ALG_ED25519 ? NULL : EVP_sha256();
    int done = EVP_DigestSignInit(context, NULL, digest, NULL, key) == 1 &&
               EVP_DigestSign(context, bytes, &size, message, length) == 1;
    EVP_MD_CTX_free(context);
    if (!done)
        return GENERAL_FAILURE;
    if (alg == ALG_ED25519) {
        made->r = copy(bytes, ED25519_SIGNATURE);
        made->r_length = ED25519_SIGNATURE;
        return 0;
    }
    const uint8_t *at = bytes;
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &at, (long)size);
    if (parsed == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(parsed), half, SCALAR) != SCALAR)
        return GENERAL_FAILURE;
    made->r = copy(half, SCALAR);
    if (BN_bn2binpad(ECDSA_SIG_get0_s(parsed), half, SCALAR) != SCALAR)
        return GENERAL_FAILURE;
    made->s = copy(half, SCALAR);
    made->r_length = made->s_length = SCALAR;
    ECDSA_SIG_free(parsed);
    return 0;
}

int sk_sign(uint32_t alg, const uint8_t *data, size_t data_length, const char *application,
            const uint8_t *handle, size_t handle_length, uint8_t flags, const char *pin, void **options,
            struct signature **out) {
    (void)flags, (void)pin, (void)options;
    const char *said = getenv("SK_FLAGS");
    struct signature *made = calloc(1, sizeof *made);
    EVP_PKEY *key = key_of(alg, handle, handle_length);
    if (made == NULL || key == NULL)
        return GENERAL_FAILURE;
    made->flags = said == NULL ? TOUCHED : (uint8_t)atoi(said);
    made->counter = 7;
    /* What a FIDO key signs: whom it is for, its flags, its counter, and what it is asked. */
    uint8_t message[SHA256_DIGEST_LENGTH * 2 + 5] = {0};
    SHA256((const uint8_t *)application, strlen(application), message);
    message[SHA256_DIGEST_LENGTH] = made->flags;
    message[SHA256_DIGEST_LENGTH + 4] = (uint8_t)made->counter;
    SHA256(data, data_length, message + SHA256_DIGEST_LENGTH + 5);
    int failed = sign(alg, key, message, sizeof message, made);
    EVP_PKEY_free(key);
    *out = made;
    return failed;
}

int sk_load_resident_keys(const char *pin, void **options, void ***keys, size_t *count) {
    (void)pin, (void)options, (void)keys, (void)count;
    return GENERAL_FAILURE;
}
