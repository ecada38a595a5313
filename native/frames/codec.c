#include "codec.h"

#include <string.h>

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

void frame_begin(struct frame_out *out, uint8_t type) {
    out->length = 0;
    out->overflow = out->size <= FRAME_HEADER;
    if (out->overflow)
        return;
    out->bytes[FRAME_HEADER] = type;
    out->length = FRAME_HEADER + 1;
}

void frame_put(struct frame_out *out, uint8_t tag, const void *value, size_t length) {
    uint8_t *at;

    if (out->overflow || length > UINT16_MAX || out->size - out->length < FIELD_HEADER + length) {
        out->overflow = true;
        return;
    }
    at = out->bytes + out->length;
    at[0] = tag;
    put_u16(at + 1, length);
    if (length > 0)
        memcpy(at + FIELD_HEADER, value, length);
    out->length += FIELD_HEADER + length;
}

void frame_put_u8(struct frame_out *out, uint8_t tag, uint8_t value) {
    frame_put(out, tag, &value, sizeof(value));
}

void frame_put_u32(struct frame_out *out, uint8_t tag, uint32_t value) {
    uint8_t bytes[4];

    put_u32(bytes, value);
    frame_put(out, tag, bytes, sizeof(bytes));
}

size_t frame_end(struct frame_out *out) {
    if (out->overflow || out->length > FRAME_SIZE_MAX)
        return 0;
    put_u32(out->bytes, (uint32_t)(out->length - FRAME_HEADER));
    return out->length;
}

size_t frame_length(const uint8_t header[FRAME_HEADER]) {
    uint32_t length = get_u32(header);

    return length <= FRAME_LENGTH_MAX ? length : 0;
}

bool field_next(const uint8_t *body, size_t length, size_t *at, struct field *field) {
    size_t left = length - *at;
    size_t size;

    if (left < FIELD_HEADER)
        return false;
    size = get_u16(body + *at + 1);
    if (size > left - FIELD_HEADER)
        return false;
    *field = (struct field){.tag = body[*at], .bytes = body + *at + FIELD_HEADER, .length = size};
    *at += FIELD_HEADER + size;
    return true;
}

uint16_t field_u16(const struct field *field) {
    return get_u16(field->bytes);
}

uint32_t field_u32(const struct field *field) {
    return get_u32(field->bytes);
}
