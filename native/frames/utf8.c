#include "utf8.h"

/* The bytes of the character that begins with `first`; 0 when none does. */
static size_t utf8_length(uint8_t first) {
    if (first < 0x80)
        return 1;
    if (first < 0xc0)
        return 0;
    if (first < 0xe0)
        return 2;
    if (first < 0xf0)
        return 3;
    return first < 0xf8 ? 4 : 0;
}

/* Overlong forms, surrogates and values past the last character are rejected. */
size_t utf8_character(const uint8_t *at, size_t left, uint32_t *character) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length;
    uint32_t value;

    if (left == 0)
        return 0;
    length = utf8_length(at[0]);
    if (length == 0 || length > left)
        return 0;
    value = length > 1 ? at[0] & 0x7fu >> length : at[0];
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3f);
    }
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *character = value;
    return length;
}
