/*
 * libFuzzer: any bytes as a frame. The body lies in memory of exactly its size, so that the sanitizer sees a
 * read past its end; what is accepted must be what docs/reference/protocol.md allows.
 */
#include <stdlib.h>
#include <string.h>

#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held) {
    if (!held)
        abort();
}

static void check_text(const struct wire_frame *frame, const uint8_t *body, size_t length) {
    must(frame->text != NULL && frame->text_length >= 1 && frame->text_length <= TEXT_MAX);
    must(frame->text > body && frame->text + frame->text_length <= body + length);
    for (size_t i = 0; i < frame->text_length; i++) {
        uint8_t byte = frame->text[i];

        must((byte >= 0x20 && byte != 0x7f) || byte == '\n' || byte == '\t');
        must(byte != 0xc0 && byte != 0xc1 && byte < 0xf5);
        must(byte != 0xc2 || (i + 1 < frame->text_length && frame->text[i + 1] >= 0xa0));
    }
}

static void check(const struct wire_frame *frame, const uint8_t *body, size_t length) {
    switch (frame->type) {
    case FRAME_INFO:
    case FRAME_ERROR:
    case FRAME_PROMPT:
        check_text(frame, body, length);
        must(frame->type == FRAME_PROMPT ? frame->style <= STYLE_TERMINAL : frame->style == STYLE_HIDDEN);
        break;
    case FRAME_RESULT:
        must(frame->code == 0 || frame->code == 4 || frame->code == 6 || frame->code == 7 || frame->code == 11 ||
             frame->code == 25);
        must(frame->strip == 0 || frame->code == 0);
        break;
    default:
        must(frame->type == FRAME_WAIT || frame->type == FRAME_WITHDRAW);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct wire_frame frame;
    struct wire_frame again;
    size_t length;
    uint8_t *body;

    if (size < FRAME_HEADER)
        return 0;
    /* The length that it announces is tried for itself; the body is parsed whatever it was. */
    must(frame_length(data) <= FRAME_LENGTH_MAX);
    length = size - FRAME_HEADER;
    body = malloc(length > 0 ? length : 1);
    must(body != NULL);
    memcpy(body, data + FRAME_HEADER, length);
    if (wire_parse(body, length, &frame)) {
        check(&frame, body, length);
        must(wire_parse(body, length, &again) && again.code == frame.code && again.strip == frame.strip);
        /* A frame cut short is another frame only where what is cut off was unknown to us. */
        if (length > 1 && wire_parse(body, length - 1, &again))
            must(again.type == frame.type && again.code == frame.code && again.strip == frame.strip);
    } else {
        must(frame.text == NULL && frame.code == 4);
    }
    free(body);
    return 0;
}
