#include "wire.h"

#include <security/_pam_types.h>

#include "../frames/utf8.h"

/* What a field of a frame from the daemon must look like. All fields of a frame are required. */
struct field_rule {
    enum frame_type type;
    enum field_tag tag;
    uint16_t shortest;
    uint16_t longest;
    bool (*read)(struct wire_frame *frame, const struct field *field);
};

/* Tags that a body has already shown, one bit for each. */
struct seen {
    uint8_t bits[32];
};

/*
 * A text is shown on the user's terminal, root's console included. It MUST NOT hold
 * - a control character but newline and tab: neither C0, nor DEL, nor C1, which some terminals obey;
 * - bytes that are no UTF-8: an 8-bit terminal could read a C1 control out of them.
 */
static bool read_text(struct wire_frame *frame, const struct field *field) {
    for (size_t at = 0; at < field->length;) {
        uint32_t character = 0;
        size_t bytes = utf8_character(field->bytes + at, field->length - at, &character);

        if (bytes == 0)
            return false;
        if (character < 0x20 && character != '\n' && character != '\t')
            return false;
        if (character >= 0x7f && character <= 0x9f)
            return false;
        at += bytes;
    }
    frame->text = field->bytes;
    frame->text_length = field->length;
    return true;
}

static bool read_style(struct wire_frame *frame, const struct field *field) {
    frame->style = (enum prompt_style)field->bytes[0];
    return field->bytes[0] <= STYLE_TERMINAL;
}

/*
 * The code becomes what a login program acts on. It MUST be one of the six that the page lets RESULT carry,
 * compared whole: no default, no mapping, no lowest byte.
 */
static bool read_code(struct wire_frame *frame, const struct field *field) {
    frame->code = field_u32(field);
    switch (frame->code) {
    case PAM_SUCCESS:
    case PAM_SYSTEM_ERR:
    case PAM_PERM_DENIED:
    case PAM_AUTH_ERR:
    case PAM_MAXTRIES:
    case PAM_IGNORE:
        return true;
    default:
        return false;
    }
}

static bool read_strip(struct wire_frame *frame, const struct field *field) {
    frame->strip = field_u16(field);
    return true;
}

static const struct field_rule field_rules[] = {
    {FRAME_INFO, TAG_TEXT, 1, TEXT_MAX, read_text},
    {FRAME_ERROR, TAG_TEXT, 1, TEXT_MAX, read_text},
    {FRAME_PROMPT, TAG_TEXT, 1, TEXT_MAX, read_text},
    {FRAME_PROMPT, TAG_STYLE, 1, 1, read_style},
    {FRAME_RESULT, TAG_CODE, 4, 4, read_code},
    {FRAME_RESULT, TAG_STRIP, 2, 2, read_strip},
};

enum { FIELD_RULES = sizeof(field_rules) / sizeof(field_rules[0]) };

static bool seen_before(struct seen *seen, uint8_t tag) {
    uint8_t bit = (uint8_t)(1u << (tag & 7));
    bool before = (seen->bits[tag >> 3] & bit) != 0;

    seen->bits[tag >> 3] |= bit;
    return before;
}

/* Unknown tags are skipped: a later daemon may say more. */
static bool read_field(struct wire_frame *frame, const struct field *field) {
    for (size_t i = 0; i < FIELD_RULES; i++) {
        const struct field_rule *rule = &field_rules[i];

        if ((uint8_t)rule->type != frame->type || (uint8_t)rule->tag != field->tag)
            continue;
        return field->length >= rule->shortest && field->length <= rule->longest && rule->read(frame, field);
    }
    return true;
}

static bool known_type(uint8_t type) {
    return type >= FRAME_INFO && type <= FRAME_WITHDRAW;
}

static bool is_whole(const struct wire_frame *frame, const struct seen *seen) {
    for (size_t i = 0; i < FIELD_RULES; i++) {
        uint8_t tag = (uint8_t)field_rules[i].tag;

        if ((uint8_t)field_rules[i].type == frame->type && (seen->bits[tag >> 3] & 1u << (tag & 7)) == 0)
            return false;
    }
    return true;
}

/*
 * Invariants for everything that comes from the socket:
 * - no byte outside body[0 .. length) is read;
 * - every required field is there exactly once and has its size: an empty RESULT is not SUCCESS;
 * - what is not exactly as docs/reference/protocol.md says is a violation, never repaired.
 */
bool wire_parse(const uint8_t *body, size_t length, struct wire_frame *frame) {
    struct wire_frame found = {.code = PAM_SYSTEM_ERR};
    struct seen seen = {{0}};

    *frame = found;
    if (length == 0 || length > FRAME_LENGTH_MAX || !known_type(body[0]))
        return false;
    found.type = body[0];
    for (size_t at = 1; at < length;) {
        struct field field;

        if (!field_next(body, length, &at, &field))
            return false;
        if (seen_before(&seen, field.tag) || !read_field(&found, &field))
            return false;
    }
    if (!is_whole(&found, &seen) || (found.code != PAM_SUCCESS && found.strip != 0))
        return false;
    *frame = found;
    return true;
}
