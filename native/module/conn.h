/* One connection to the daemon: opened, its peer identified, read and written within deadlines. */
#ifndef SALLYPORT_CONN_H
#define SALLYPORT_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum conn_status {
    CONN_OK,
    /* No such socket, or no listener on it. */
    CONN_ABSENT,
    /* The other end closed, or died. */
    CONN_CLOSED,
    CONN_TIMEOUT,
    /* The user pressed ^C or ^\ while the program had these signals blocked. */
    CONN_INTERRUPTED,
    /* Anything else; errno says what. */
    CONN_FAILED,
};

/* Milliseconds of the monotonic clock; deadlines are points on it. */
int64_t conn_now(void);

/*
 * `fd`, or a copy of it above 2 in its place: a program that runs with 0, 1 or 2 closed would otherwise print
 * into what we opened. -1 stays -1.
 */
int conn_above_standard(int fd);
/* On CONN_OK `fd` is above 2, close-on-exec and non-blocking; otherwise it is -1. */
enum conn_status conn_open(const char *path, int64_t deadline, int *fd);
/* The uid of the listener. */
bool conn_peer(int fd, uid_t *uid);
/* All of it, or a reason why not. Never raises SIGPIPE. */
enum conn_status conn_write(int fd, const uint8_t *bytes, size_t length, int64_t deadline);
/* Exactly `length` bytes; `got` counts those that came. What has arrived is taken even after the deadline. */
enum conn_status conn_read(int fd, uint8_t *bytes, size_t length, size_t *got, int64_t deadline);
/* Whether there is something to read now: bytes, or the end of the stream. */
bool conn_readable(int fd);
void conn_close(int *fd);

#endif
