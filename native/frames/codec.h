/*
 * The framing of docs/reference/protocol.md: a length, a type, and fields of tag, length and value. Bytes only:
 * nothing is read or written here. Compiled into the PAM module and both helpers; daemon/protocol/codec.ts is the
 * same in TypeScript.
 */
#ifndef SALLYPORT_FRAMES_CODEC_H
#define SALLYPORT_FRAMES_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FRAME_HEADER = 4,
    FRAME_LENGTH_MAX = 16384,
    FRAME_SIZE_MAX = FRAME_HEADER + FRAME_LENGTH_MAX,
    FIELD_HEADER = 3,
};

/* A frame under construction in the caller's buffer. What does not fit sets `overflow` and is not written. */
struct frame_out {
    uint8_t *bytes;
    size_t size;
    size_t length;
    bool overflow;
};

/* A field of a frame: points into its body. */
struct field {
    uint8_t tag;
    const uint8_t *bytes;
    size_t length;
};

/* Starts a frame in `bytes`, which has `size` bytes; drops what was begun there before. */
void frame_begin(struct frame_out *out, uint8_t type);
void frame_put(struct frame_out *out, uint8_t tag, const void *value, size_t length);
void frame_put_u8(struct frame_out *out, uint8_t tag, uint8_t value);
void frame_put_u32(struct frame_out *out, uint8_t tag, uint32_t value);
/* Fills in the length. Returns the bytes of the whole frame, or 0 when it did not fit and must not be sent. */
size_t frame_end(struct frame_out *out);

/* The length that a header announces, or 0 when no frame has it. */
size_t frame_length(const uint8_t header[FRAME_HEADER]);
/* The field at `*at` of a body; moves on. False: it does not fit into the body. */
bool field_next(const uint8_t *body, size_t length, size_t *at, struct field *field);
/* Numbers of fields whose length has been verified. */
uint16_t field_u16(const struct field *field);
uint32_t field_u32(const struct field *field);

#endif
