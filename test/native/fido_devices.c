/*
 * In place of native/fido/devices.c, for tests alone: keys that are sockets. SALLYPORT_FIDO_DEVICES holds their
 * paths, with colons between; a path that is not there is a key that is not plugged in. Reports are 64 bytes each
 * way; the number of the report, which libfido2 writes first, does not travel.
 */
#define _GNU_SOURCE

#include "devices.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "text.h"

enum { REPORT = 64, WRITE_MS = 1000 };

struct handle {
    int fd;
    unsigned char report[REPORT];
    size_t have;
};

static char *paths;

static void *key_open_socket(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct handle *handle = calloc(1, sizeof(*handle));

    if (handle == NULL || strlen(path) >= sizeof(address.sun_path)) {
        free(handle);
        return NULL;
    }
    strcpy(address.sun_path, path);
    handle->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (handle->fd >= 0 && connect(handle->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return handle;
    if (handle->fd >= 0)
        close(handle->fd);
    free(handle);
    return NULL;
}

static void key_close_socket(void *opened) {
    struct handle *handle = opened;

    close(handle->fd);
    free(handle);
}

/* As hidraw does it: a signal ends the wait, and a key that is gone is an error. */
static int key_read(void *opened, unsigned char *bytes, size_t length, int milliseconds) {
    struct handle *handle = opened;

    while (handle->have < REPORT) {
        struct pollfd entry = {.fd = handle->fd, .events = POLLIN};
        ssize_t got;

        if (poll(&entry, 1, milliseconds) < 1)
            return -1;
        got = recv(handle->fd, handle->report + handle->have, REPORT - handle->have, 0);
        if (got <= 0)
            return -1;
        handle->have += (size_t)got;
    }
    if (length != REPORT)
        return -1;
    handle->have = 0;
    memcpy(bytes, handle->report, REPORT);
    return REPORT;
}

static int key_write(void *opened, const unsigned char *bytes, size_t length) {
    struct handle *handle = opened;

    if (length != REPORT + 1)
        return -1;
    for (size_t sent = 0; sent < REPORT;) {
        struct pollfd entry = {.fd = handle->fd, .events = POLLOUT};
        ssize_t now;

        if (poll(&entry, 1, WRITE_MS) < 1)
            return -1;
        now = send(handle->fd, bytes + 1 + sent, REPORT - sent, MSG_NOSIGNAL);
        if (now <= 0)
            return -1;
        sent += (size_t)now;
    }
    return REPORT + 1;
}

void devices_prepare(void) {
    const char *named = getenv("SALLYPORT_FIDO_DEVICES");

    paths = strdup(named == NULL ? "" : named);
}

size_t devices_list(struct plugged *found, size_t room) {
    char *list = strdup(paths);
    char *rest = list;
    size_t count = 0;

    for (char *path = strsep(&rest, ":"); path != NULL && count < room; path = strsep(&rest, ":")) {
        struct stat status;

        if (strlen(path) > DEVICE_PATH_MAX || stat(path, &status) != 0 || !S_ISSOCK(status.st_mode))
            continue;
        snprintf(found[count].path, sizeof(found[count].path), "%s", path);
        /* The file's name is what the maker wrote: it goes the way of a real one. */
        found[count].name[0] = '\0';
        text_append(found[count].name, sizeof(found[count].name), "Soft ");
        text_append(found[count].name, sizeof(found[count].name), strrchr(path, '/') + 1);
        count++;
    }
    free(list);
    return count;
}

fido_dev_t *devices_open(const char *path, int timeout) {
    static const fido_dev_io_t sockets = {key_open_socket, key_close_socket, key_read, key_write};
    fido_dev_t *device = fido_dev_new();

    if (device == NULL)
        return NULL;
    if (fido_dev_set_io_functions(device, &sockets) != FIDO_OK || fido_dev_set_timeout(device, timeout) != FIDO_OK ||
        fido_dev_open(device, path) != FIDO_OK)
        fido_dev_free(&device);
    return device;
}
