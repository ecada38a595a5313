#include "text.h"

#include <string.h>

#include "../frames/utf8.h"

/* The bytes of the clean character at `at`; 0 if it is not one. */
static size_t clean_character(const uint8_t *at, size_t left) {
    uint32_t character = 0;
    size_t length = utf8_character(at, left, &character);

    return character < 0x20 || (character >= 0x7f && character <= 0x9f) ? 0 : length;
}

bool text_is_clean(const uint8_t *bytes, size_t length) {
    for (size_t at = 0; at < length;) {
        size_t step = clean_character(bytes + at, length - at);

        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

void text_append(char *to, size_t size, const char *text) {
    size_t have = strlen(to);
    size_t length = strlen(text);

    for (size_t at = 0; at < length;) {
        size_t step = clean_character((const uint8_t *)text + at, length - at);
        size_t bytes = step == 0 ? 1 : step;

        if (size - have <= bytes)
            break;
        if (step == 0)
            to[have] = '?';
        else
            memcpy(to + have, text + at, step);
        have += bytes;
        at += bytes;
    }
    to[have] = '\0';
}
