#define _GNU_SOURCE

#include "frames.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void put_u16(uint8_t *at, size_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t get_u16(const uint8_t *at) {
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get_u32(const uint8_t *at) {
    return get_u16(at) << 16 | get_u16(at + 2);
}

void frame_begin(struct frame_out *out, uint8_t type) {
    out->bytes[FRAME_HEADER] = type;
    out->length = FRAME_HEADER + 1;
    out->overflow = false;
}

void frame_put(struct frame_out *out, uint8_t tag, const void *value, size_t length) {
    uint8_t *at = out->bytes + out->length;
    size_t room = sizeof(out->bytes) - out->length;

    if (out->overflow || length > UINT16_MAX || room < FIELD_HEADER + length) {
        out->overflow = true;
        return;
    }
    at[0] = tag;
    put_u16(at + 1, length);
    if (length > 0)
        memcpy(at + FIELD_HEADER, value, length);
    out->length += FIELD_HEADER + length;
}

void frame_put_u8(struct frame_out *out, uint8_t tag, uint8_t value) {
    frame_put(out, tag, &value, sizeof(value));
}

bool frame_end(struct frame_out *out) {
    size_t body = out->length - FRAME_HEADER;

    put_u16(out->bytes, body >> 16);
    put_u16(out->bytes + 2, body & 0xffff);
    return !out->overflow;
}

bool frame_write(int fd, const struct frame_out *out) {
    for (size_t sent = 0; sent < out->length;) {
        ssize_t now = write(fd, out->bytes + sent, out->length - sent);

        if (now > 0)
            sent += (size_t)now;
        else if (now == 0 || errno != EINTR)
            return false;
    }
    return true;
}

/*
 * MUST hold: the length is judged before a byte of the body is taken, and nothing beyond this frame is read:
 * what follows it is no business of the one who asked for it.
 */
enum read_status frame_read(int fd, struct frame_in *in) {
    bool heading = in->have < FRAME_HEADER;
    uint8_t *at = heading ? in->header + in->have : in->body + (in->have - FRAME_HEADER);
    size_t want = heading ? FRAME_HEADER - in->have : FRAME_HEADER + in->length - in->have;
    ssize_t now = read(fd, at, want);

    if (now < 0)
        return errno == EINTR || errno == EAGAIN ? READ_MORE : READ_END;
    if (now == 0)
        return in->have == 0 ? READ_END : READ_BAD;
    in->have += (size_t)now;
    if (in->have < FRAME_HEADER)
        return READ_MORE;
    if (heading) {
        uint32_t length = get_u32(in->header);

        if (length == 0 || length > FRAME_LENGTH_MAX)
            return READ_BAD;
        in->length = length;
    }
    return in->have == FRAME_HEADER + in->length ? READ_FRAME : READ_MORE;
}

void frame_reset(struct frame_in *in) {
    explicit_bzero(in, sizeof(*in));
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

uint32_t field_u32(const struct field *field) {
    return get_u32(field->bytes);
}
