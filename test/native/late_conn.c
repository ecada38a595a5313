/*
 * For test/module/late.test.ts: conn.c in a program that does not run for a while, right behind a try that found
 * nothing. What comes meanwhile is there when it runs again, after its deadline. Linked with --wrap for recv and connect.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"

enum { DEADLINE_MS = 20, STOPPED_US = 60000, FRAME = 4 };

/* What comes while the program does not run; -1: nothing. */
static int peer = -1;
static int tries;

ssize_t __real_recv(int fd, void *bytes, size_t length, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t length, int flags);
int __real_connect(int fd, const struct sockaddr *address, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);

static void be_stopped(int error) {
    if (peer >= 0 && write(peer, "wait", FRAME) != FRAME)
        perror("write");
    (void)usleep(STOPPED_US);
    errno = error;
}

ssize_t __wrap_recv(int fd, void *bytes, size_t length, int flags) {
    ssize_t got = __real_recv(fd, bytes, length, flags);

    if (++tries == 1)
        be_stopped(errno);
    return got;
}

/* The first finds the backlog full. */
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length) {
    if (++tries > 1)
        return __real_connect(fd, address, length);
    be_stopped(EAGAIN);
    return -1;
}

static const char *word(enum conn_status status) {
    return status == CONN_OK ? "ok" : status == CONN_TIMEOUT ? "timeout" : "other";
}

static void read_late(const char *name, bool something_comes) {
    uint8_t bytes[FRAME];
    size_t got = 0;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return;
    tries = 0;
    peer = something_comes ? pair[1] : -1;
    printf("%s: %s", name, word(conn_read(pair[0], bytes, sizeof(bytes), &got, conn_now() + DEADLINE_MS)));
    printf(" %zu\n", got);
    (void)close(pair[0]);
    (void)close(pair[1]);
}

int main(int argc, char **argv) {
    int fd;

    if (argc != 2)
        return 2;
    read_late("a frame", true);
    read_late("silence", false);
    tries = 0;
    peer = -1;
    printf("room in the backlog: %s\n", word(conn_open(argv[1], conn_now() + DEADLINE_MS, &fd)));
    conn_close(&fd);
    return 0;
}
