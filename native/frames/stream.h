/* Frames on the descriptors that the helpers speak on. */
#ifndef SALLYPORT_FRAMES_STREAM_H
#define SALLYPORT_FRAMES_STREAM_H

#include "codec.h"

/* A frame as it comes in, in pieces. */
struct frame_in {
    uint8_t header[FRAME_HEADER];
    uint8_t body[FRAME_LENGTH_MAX];
    /* Bytes of header and body that are there. */
    size_t have;
    /* Of the body; known once the header is whole. */
    size_t length;
};

enum read_status { READ_MORE, READ_FRAME, READ_END, READ_BAD };

/* Sends what frame_end() has finished. */
bool frame_write(int fd, const struct frame_out *out);
/* Takes what is there, never beyond one frame. Call it when `fd` can be read. */
enum read_status frame_read(int fd, struct frame_in *in);
/* Wipes it, for the next one. */
void frame_reset(struct frame_in *in);

#endif
