/* Frames as bytes: built and parsed, never read or written. docs/reference/protocol.md, "Frames". */
#ifndef SALLYPORT_WIRE_H
#define SALLYPORT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

/* A frame under construction in somebody's buffer. What does not fit sets `overflow` and is not written. */
struct wire_out {
    uint8_t *bytes;
    size_t size;
    size_t length;
    bool overflow;
};

/* A frame from the daemon. Which members mean something follows from `type`. */
struct wire_frame {
    uint8_t type;
    enum prompt_style style;
    uint16_t strip;
    uint32_t code;
    /* Points into the body; no NUL at its end. */
    const uint8_t *text;
    size_t text_length;
};

void wire_begin(struct wire_out *out, uint8_t *bytes, size_t size, enum frame_type type);
void wire_put(struct wire_out *out, enum field_tag tag, const void *value, size_t length);
void wire_put_u8(struct wire_out *out, enum field_tag tag, uint8_t value);
void wire_put_u32(struct wire_out *out, enum field_tag tag, uint32_t value);
/* Fills in the length. Returns the bytes of the whole frame, or 0 when it did not fit. */
size_t wire_end(struct wire_out *out);

/* The length that a header announces, or 0 when it is one that no frame has. */
size_t wire_length(const uint8_t header[FRAME_HEADER]);
/* Takes a body of `length` bytes, type first. False: a violation, and `frame` holds nothing. */
bool wire_parse(const uint8_t *body, size_t length, struct wire_frame *frame);

#endif
