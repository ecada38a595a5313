/* Frames of docs/reference/protocol.md as bytes, and the descriptors that the helpers speak on. */
#ifndef SALLYPORT_FRAMES_H
#define SALLYPORT_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FRAME_HEADER = 4,
    FRAME_LENGTH_MAX = 16384,
    FIELD_HEADER = 3,
};

/* A frame under construction. What does not fit sets `overflow` and is not written. */
struct frame_out {
    uint8_t bytes[FRAME_HEADER + FRAME_LENGTH_MAX];
    size_t length;
    bool overflow;
};

/* A frame as it comes in, in pieces. */
struct frame_in {
    uint8_t header[FRAME_HEADER];
    uint8_t body[FRAME_LENGTH_MAX];
    /* Bytes of header and body that are there. */
    size_t have;
    /* Of the body; known once the header is whole. */
    size_t length;
};

/* A field of a frame: points into its body. */
struct field {
    uint8_t tag;
    const uint8_t *bytes;
    size_t length;
};

enum read_status { READ_MORE, READ_FRAME, READ_END, READ_BAD };

void frame_begin(struct frame_out *out, uint8_t type);
void frame_put(struct frame_out *out, uint8_t tag, const void *value, size_t length);
void frame_put_u8(struct frame_out *out, uint8_t tag, uint8_t value);
/* Fills in the length. False: it did not fit, and must not be sent. */
bool frame_end(struct frame_out *out);
bool frame_write(int fd, const struct frame_out *out);

/* Takes what is there, never beyond one frame. Call it when `fd` can be read. */
enum read_status frame_read(int fd, struct frame_in *in);
/* Wipes it, for the next one. */
void frame_reset(struct frame_in *in);
/* The field at `*at` of a body; moves on. False: it does not fit into the body. */
bool field_next(const uint8_t *body, size_t length, size_t *at, struct field *field);
uint32_t field_u32(const struct field *field);

#endif
