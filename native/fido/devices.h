/*
 * The keys that are plugged in. devices.c is the one of the program that ships; the tests put another one in its
 * place, whose keys are sockets.
 */
#ifndef SALLYPORT_FIDO_DEVICES_H
#define SALLYPORT_FIDO_DEVICES_H

#include <stddef.h>

#include <fido.h>

#include "protocol.h"

enum { DEVICE_PATH_MAX = 127 };

struct plugged {
    char path[DEVICE_PATH_MAX + 1];
    /* Cleaned. */
    char name[KEY_NAME_MAX + 1];
};

/* Called once, before the environment is emptied. */
void devices_prepare(void);
/* Lists the keys that are plugged in now, at most `capacity`. */
size_t devices_list(struct plugged *found, size_t capacity);
/* NULL: it cannot be opened, or does not answer within `timeout` milliseconds. */
fido_dev_t *devices_open(const char *path, int timeout);

#endif
