/* UTF-8 (RFC 3629), for texts that the module and sallyport-fido check. */
#ifndef SALLYPORT_FRAMES_UTF8_H
#define SALLYPORT_FRAMES_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the character at `at`. Returns its length in bytes, or 0 if no valid character ends within `left` bytes. */
size_t utf8_character(const uint8_t *at, size_t left, uint32_t *character);

#endif
