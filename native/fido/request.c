#define _GNU_SOURCE

#include "request.h"

#include <string.h>

#include "../frames/codec.h"
#include "text.h"

enum {
    IN_LIST = 1,
    IN_MAKE = 2,
    IN_ASSERT = 4,
    IN_ALL = IN_LIST | IN_MAKE | IN_ASSERT,
    REPEATS = 8,
};

/* In which frames a field may and must be, how long it is, and what reads it. */
struct field_rule {
    enum field_tag tag;
    uint8_t allowed;
    uint8_t required;
    uint16_t shortest;
    uint16_t longest;
    bool (*read)(struct request *request, const struct field *field);
};

static bool read_version(struct request *request, const struct field *field) {
    (void)request;
    return field->bytes[0] == FIDO_PROTOCOL_VERSION;
}

static bool read_deadline(struct request *request, const struct field *field) {
    request->deadline = field_u32(field);
    return request->deadline >= DEADLINE_MIN && request->deadline <= DEADLINE_MAX;
}

static bool read_hash(struct request *request, const struct field *field) {
    memcpy(request->client_data_hash, field->bytes, HASH_LENGTH);
    return true;
}

static bool read_verification(struct request *request, const struct field *field) {
    request->verification = (enum user_verification)field->bytes[0];
    return field->bytes[0] <= UV_REQUIRED;
}

static bool read_text(char *to, const struct field *field) {
    memcpy(to, field->bytes, field->length);
    to[field->length] = '\0';
    return text_is_clean(field->bytes, field->length);
}

/* Begins a group; the one before must not have stayed empty. */
static bool read_rp_id(struct request *request, const struct field *field) {
    size_t count = request->group_count;

    if (count == GROUPS_MAX || (count > 0 && request->type == FRAME_MAKE))
        return false;
    if (count > 0 && request->groups[count - 1].count == 0)
        return false;
    request->groups[count].first = request->credential_count;
    request->group_count++;
    return read_text(request->groups[count].rp_id, field);
}

static bool read_rp_name(struct request *request, const struct field *field) {
    return read_text(request->rp_name, field);
}

static bool read_user_id(struct request *request, const struct field *field) {
    memcpy(request->user_id, field->bytes, field->length);
    request->user_id_length = field->length;
    return true;
}

static bool read_user_name(struct request *request, const struct field *field) {
    return read_text(request->user_name, field);
}

static bool read_algorithm(struct request *request, const struct field *field) {
    uint8_t algorithm = field->bytes[0];

    if (algorithm < ALGORITHM_ES256 || algorithm > ALGORITHM_RS256)
        return false;
    if (memchr(request->algorithms, algorithm, request->algorithm_count) != NULL)
        return false;
    request->algorithms[request->algorithm_count++] = algorithm;
    return true;
}

/* Belongs to the relying party that was named last. */
static bool read_credential_id(struct request *request, const struct field *field) {
    if (request->group_count == 0 || request->credential_count == CREDENTIALS_MAX)
        return false;
    request->credentials[request->credential_count++] =
        (struct credential){.id = field->bytes, .length = field->length};
    request->groups[request->group_count - 1].count++;
    return true;
}

static bool read_resident(struct request *request, const struct field *field) {
    request->resident = field->bytes[0] == 1;
    return field->bytes[0] <= 1;
}

static const struct field_rule rules[] = {
    {TAG_VERSION, IN_ALL, IN_ALL, 1, 1, read_version},
    {TAG_DEADLINE, IN_ALL, IN_ALL, 4, 4, read_deadline},
    {TAG_CLIENT_DATA_HASH, IN_MAKE | IN_ASSERT, IN_MAKE | IN_ASSERT, HASH_LENGTH, HASH_LENGTH, read_hash},
    {TAG_USER_VERIFICATION, IN_MAKE | IN_ASSERT, IN_MAKE | IN_ASSERT, 1, 1, read_verification},
    {TAG_RP_ID, IN_MAKE | IN_ASSERT | REPEATS, IN_MAKE | IN_ASSERT, 1, RP_ID_MAX, read_rp_id},
    {TAG_RP_NAME, IN_MAKE, IN_MAKE, 0, RP_NAME_MAX, read_rp_name},
    {TAG_USER_ID, IN_MAKE, IN_MAKE, 1, USER_ID_MAX, read_user_id},
    {TAG_USER_NAME, IN_MAKE, IN_MAKE, 1, USER_NAME_MAX, read_user_name},
    {TAG_ALGORITHM, IN_MAKE | REPEATS, IN_MAKE, 1, 1, read_algorithm},
    {TAG_CREDENTIAL_ID, IN_MAKE | IN_ASSERT | REPEATS, IN_ASSERT, 1, CREDENTIAL_ID_MAX, read_credential_id},
    {TAG_RESIDENT, IN_MAKE, IN_MAKE, 1, 1, read_resident},
};

enum { RULES = sizeof(rules) / sizeof(rules[0]) };

static uint8_t kind_of(uint8_t type) {
    switch (type) {
    case FRAME_LIST:
        return IN_LIST;
    case FRAME_MAKE:
        return IN_MAKE;
    case FRAME_ASSERT:
        return IN_ASSERT;
    default:
        return 0;
    }
}

static bool read_field(struct request *request, uint8_t kind, const struct field *field, bool seen[RULES]) {
    for (size_t i = 0; i < RULES; i++) {
        const struct field_rule *rule = &rules[i];

        if ((uint8_t)rule->tag != field->tag)
            continue;
        if ((rule->allowed & kind) == 0 || (seen[i] && (rule->allowed & REPEATS) == 0))
            return false;
        seen[i] = true;
        return field->length >= rule->shortest && field->length <= rule->longest && rule->read(request, field);
    }
    return false;
}

static bool is_whole(const struct request *request, uint8_t kind, const bool seen[RULES]) {
    for (size_t i = 0; i < RULES; i++) {
        if ((rules[i].required & kind) != 0 && !seen[i])
            return false;
    }
    return request->type != FRAME_ASSERT || request->groups[request->group_count - 1].count > 0;
}

/*
 * Invariants: no byte outside body[0 .. length) is read; every field is where the page says and has its size; a
 * tag that is not known, out of place or repeated where it must not be is a violation: the two sides are of one
 * version, so there is nothing to skip.
 */
bool request_parse(const uint8_t *body, size_t length, struct request *request) {
    bool seen[RULES] = {false};
    uint8_t kind = length == 0 ? 0 : kind_of(body[0]);

    memset(request, 0, sizeof(*request));
    if (kind == 0)
        return false;
    request->type = (enum frame_type)body[0];
    for (size_t at = 1; at < length;) {
        struct field field;

        if (!field_next(body, length, &at, &field) || !read_field(request, kind, &field, seen))
            return false;
    }
    return is_whole(request, kind, seen);
}

bool request_parse_pin(const uint8_t *body, size_t length, char pin[PIN_FIELD_MAX + 1], uint8_t *ask) {
    /* CTAP 2.1, 6.5.1: a PIN has at most 63 bytes; no key takes fewer than 4. */
    enum { SHORTEST_PIN = 4, LONGEST_PIN = 63 };
    struct field number;
    struct field field;
    size_t at = 1;

    explicit_bzero(pin, PIN_FIELD_MAX + 1);
    if (length == 0 || body[0] != FRAME_PIN || !field_next(body, length, &at, &number) ||
        !field_next(body, length, &at, &field) || at != length)
        return false;
    if (number.tag != TAG_ASK || number.length != 1 || field.tag != TAG_PIN || field.length > PIN_FIELD_MAX)
        return false;
    *ask = number.bytes[0];
    if (field.length >= SHORTEST_PIN && field.length <= LONGEST_PIN && memchr(field.bytes, 0, field.length) == NULL)
        memcpy(pin, field.bytes, field.length);
    return true;
}
