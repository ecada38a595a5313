#define _GNU_SOURCE

#include "request.h"

#include <string.h>

#include "../frames/codec.h"

/* Each is there at most once. */
struct field_rule {
    enum field_tag tag;
    /* A FRAME_LOOK has no other fields than those that it requires. */
    bool looked;
    bool required;
    uint16_t shortest;
    uint16_t longest;
    bool (*read)(struct request *request, const struct field *field);
};

static bool read_version(struct request *request, const struct field *field) {
    (void)request;
    return field->bytes[0] == PASSWORD_PROTOCOL_VERSION;
}

static bool read_deadline(struct request *request, const struct field *field) {
    request->deadline = field_u32(field);
    return request->deadline >= DEADLINE_MIN && request->deadline <= DEADLINE_MAX;
}

/* PAM modules write both into the system's log: a control character could begin a new line there. */
static bool read_name(char *to, const struct field *field) {
    for (size_t i = 0; i < field->length; i++) {
        if (field->bytes[i] < 0x20 || field->bytes[i] == 0x7f)
            return false;
    }
    memcpy(to, field->bytes, field->length);
    return true;
}

static bool read_user(struct request *request, const struct field *field) {
    return read_name(request->user, field);
}

static bool read_source(struct request *request, const struct field *field) {
    return read_name(request->source, field);
}

static bool read_password(struct request *request, const struct field *field) {
    memcpy(request->password, field->bytes, field->length);
    request->password_possible = field->length > 0 && memchr(field->bytes, 0, field->length) == NULL;
    return true;
}

static const struct field_rule rules[] = {
    {TAG_VERSION, true, true, 1, 1, read_version},
    {TAG_DEADLINE, true, true, 4, 4, read_deadline},
    {TAG_USER, true, true, 1, USER_MAX, read_user},
    {TAG_SOURCE, false, false, 0, SOURCE_MAX, read_source},
    {TAG_PASSWORD, false, true, 0, PASSWORD_MAX, read_password},
};

enum { RULES = sizeof(rules) / sizeof(rules[0]) };

static bool read_field(struct request *request, const struct field *field, bool seen[RULES]) {
    for (size_t i = 0; i < RULES; i++) {
        const struct field_rule *rule = &rules[i];

        if ((uint8_t)rule->tag != field->tag)
            continue;
        if (seen[i] || (request->type == FRAME_LOOK && !rule->looked) || field->length < rule->shortest ||
            field->length > rule->longest)
            return false;
        seen[i] = true;
        return rule->read(request, field);
    }
    return false;
}

/*
 * Invariants: no byte outside body[0 .. length) is read; every field has its size and is there once; a tag that is
 * not known is a violation: the two sides are of one version, so there is nothing to skip.
 */
bool request_parse(const uint8_t *body, size_t length, struct request *request) {
    bool seen[RULES] = {false};

    memset(request, 0, sizeof(*request));
    if (length == 0 || (body[0] != FRAME_ASK && body[0] != FRAME_LOOK))
        return false;
    request->type = body[0];
    for (size_t at = 1; at < length;) {
        struct field field;

        if (!field_next(body, length, &at, &field) || !read_field(request, &field, seen))
            return false;
    }
    for (size_t i = 0; i < RULES; i++) {
        if (rules[i].required && (rules[i].looked || request->type == FRAME_ASK) && !seen[i])
            return false;
    }
    return true;
}
