/* Texts: those that come from the daemon are checked, those that come from a device are cleaned. */
#ifndef SALLYPORT_FIDO_TEXT_H
#define SALLYPORT_FIDO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF-8 (RFC 3629) without control characters. */
bool text_is_clean(const uint8_t *bytes, size_t length);
/* Appends `text` to `to`, a string of `size` bytes with its end; each byte of what is not clean becomes '?'. */
void text_append(char *to, size_t size, const char *text);

#endif
