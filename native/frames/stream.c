#define _GNU_SOURCE

#include "stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

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
 * Invariants: the length is checked before a byte of the body is taken, and nothing beyond this frame is read:
 * what follows it is for the next reader.
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
        in->length = frame_length(in->header);
        if (in->length == 0)
            return READ_BAD;
    }
    return in->have == FRAME_HEADER + in->length ? READ_FRAME : READ_MORE;
}

void frame_reset(struct frame_in *in) {
    explicit_bzero(in, sizeof(*in));
}
