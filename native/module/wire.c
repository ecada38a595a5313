#include "wire.h"

#include <string.h>

#include <security/_pam_types.h>

/* What a field of a frame from the daemon must look like. All fields of a frame are required. */
struct field_rule {
    enum frame_type type;
    enum field_tag tag;
    uint16_t shortest;
    uint16_t longest;
    bool (*read)(struct wire_frame *frame, const uint8_t *value, size_t length);
};

/* Tags that a body has already shown, one bit for each. */
struct seen {
    uint8_t bits[32];
};

static void put_u16(uint8_t *at, size_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put_u32(uint8_t *at, uint32_t value) {
    put_u16(at, value >> 16);
    put_u16(at + 2, value & 0xffff);
}

static uint16_t get_u16(const uint8_t *at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get_u32(const uint8_t *at) {
    return (uint32_t)get_u16(at) << 16 | get_u16(at + 2);
}

void wire_begin(struct wire_out *out, uint8_t *bytes, size_t size, enum frame_type type) {
    *out = (struct wire_out){.bytes = bytes, .size = size};
    if (size <= FRAME_HEADER) {
        out->overflow = true;
        return;
    }
    out->bytes[FRAME_HEADER] = (uint8_t)type;
    out->length = FRAME_HEADER + 1;
}

void wire_put(struct wire_out *out, enum field_tag tag, const void *value, size_t length) {
    uint8_t *at = out->bytes + out->length;

    if (out->overflow || length > UINT16_MAX || out->size - out->length < FIELD_HEADER + length) {
        out->overflow = true;
        return;
    }
    at[0] = (uint8_t)tag;
    put_u16(at + 1, length);
    if (length > 0)
        memcpy(at + FIELD_HEADER, value, length);
    out->length += FIELD_HEADER + length;
}

void wire_put_u8(struct wire_out *out, enum field_tag tag, uint8_t value) {
    wire_put(out, tag, &value, sizeof(value));
}

void wire_put_u32(struct wire_out *out, enum field_tag tag, uint32_t value) {
    uint8_t bytes[4];

    put_u32(bytes, value);
    wire_put(out, tag, bytes, sizeof(bytes));
}

size_t wire_end(struct wire_out *out) {
    size_t body = out->length - FRAME_HEADER;

    if (out->overflow || body > FRAME_LENGTH_MAX)
        return 0;
    put_u32(out->bytes, (uint32_t)body);
    return out->length;
}

size_t wire_length(const uint8_t header[FRAME_HEADER]) {
    uint32_t length = get_u32(header);

    return length <= FRAME_LENGTH_MAX ? length : 0;
}

/* The bytes of the UTF-8 character that begins with `first`; 0 when none does. */
static size_t utf8_length(uint8_t first) {
    if (first < 0x80)
        return 1;
    if (first < 0xc0)
        return 0;
    if (first < 0xe0)
        return 2;
    if (first < 0xf0)
        return 3;
    return first < 0xf8 ? 4 : 0;
}

/* Decodes one character of UTF-8 (RFC 3629). Returns its bytes, or 0 when it is none. */
static size_t utf8_character(const uint8_t *at, size_t left, uint32_t *character) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = utf8_length(at[0]);
    uint32_t value = at[0];

    if (length == 0 || length > left)
        return 0;
    if (length > 1)
        value &= 0x7fu >> length;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3f);
    }
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *character = value;
    return length;
}

/*
 * A text is shown on the terminal of whoever logs in, root's console included. It MUST NOT hold
 * - a control character but newline and tab: neither C0, nor DEL, nor C1, which some terminals obey;
 * - bytes that are no UTF-8: an 8-bit terminal could read a C1 control out of them.
 */
static bool read_text(struct wire_frame *frame, const uint8_t *value, size_t length) {
    for (size_t at = 0; at < length;) {
        uint32_t character = 0;
        size_t bytes = utf8_character(value + at, length - at, &character);

        if (bytes == 0)
            return false;
        if (character < 0x20 && character != '\n' && character != '\t')
            return false;
        if (character >= 0x7f && character <= 0x9f)
            return false;
        at += bytes;
    }
    frame->text = value;
    frame->text_length = length;
    return true;
}

static bool read_style(struct wire_frame *frame, const uint8_t *value, size_t length) {
    (void)length;
    frame->style = (enum prompt_style)value[0];
    return value[0] <= STYLE_TERMINAL;
}

/*
 * The code becomes what a login program acts on. It MUST be one of the six that docs/reference/protocol.md lets
 * RESULT carry, compared whole: no default, no mapping, no lowest byte.
 */
static bool read_code(struct wire_frame *frame, const uint8_t *value, size_t length) {
    (void)length;
    frame->code = get_u32(value);
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

static bool read_strip(struct wire_frame *frame, const uint8_t *value, size_t length) {
    (void)length;
    frame->strip = get_u16(value);
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
static bool read_field(struct wire_frame *frame, uint8_t tag, const uint8_t *value, size_t length) {
    for (size_t i = 0; i < FIELD_RULES; i++) {
        const struct field_rule *rule = &field_rules[i];

        if ((uint8_t)rule->type != frame->type || (uint8_t)rule->tag != tag)
            continue;
        return length >= rule->shortest && length <= rule->longest && rule->read(frame, value, length);
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
 * MUST hold for everything that comes from the socket:
 * - no byte outside body[0 .. length) is read;
 * - every required field stands there exactly once and has its size: an empty RESULT is no SUCCESS;
 * - what is not exactly as docs/reference/protocol.md says is refused, never mended.
 */
bool wire_parse(const uint8_t *body, size_t length, struct wire_frame *frame) {
    struct wire_frame found = {.code = PAM_SYSTEM_ERR};
    struct seen seen = {{0}};

    *frame = found;
    if (length == 0 || length > FRAME_LENGTH_MAX || !known_type(body[0]))
        return false;
    found.type = body[0];
    for (size_t at = 1; at < length;) {
        size_t left = length - at;
        size_t size = left < FIELD_HEADER ? 0 : get_u16(body + at + 1);

        if (left < FIELD_HEADER || size > left - FIELD_HEADER)
            return false;
        if (seen_before(&seen, body[at]) || !read_field(&found, body[at], body + at + FIELD_HEADER, size))
            return false;
        at += FIELD_HEADER + size;
    }
    if (!is_whole(&found, &seen) || (found.code != PAM_SUCCESS && found.strip != 0))
        return false;
    *frame = found;
    return true;
}
