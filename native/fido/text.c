#include "text.h"

#include <string.h>

/* The bytes of the clean character at `at`; 0: there is none. */
static size_t clean_character(const uint8_t *at, size_t left) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf8 ? 4 : 0;
    uint32_t value = length > 1 ? at[0] & 0x7fu >> length : at[0];

    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3f);
    }
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    return value < 0x20 || (value >= 0x7f && value <= 0x9f) ? 0 : length;
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
