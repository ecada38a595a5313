/* What a frame from the daemon must hold. docs/reference/protocol.md, "Frames". */
#ifndef SALLYPORT_WIRE_H
#define SALLYPORT_WIRE_H

#include "../frames/codec.h"
#include "protocol.h"

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

/* Takes a body of `length` bytes, type first. False: a violation, and `frame` holds nothing. */
bool wire_parse(const uint8_t *body, size_t length, struct wire_frame *frame);

#endif
