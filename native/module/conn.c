#define _GNU_SOURCE

#include "conn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* How long a wait may last before ^C is looked for again: short enough to feel at once. */
enum { SLICE_MS = 200 };
/* How long to wait for a full backlog: the kernel does not report when a slot is free. */
enum { BACKLOG_MS = 20 };

int64_t conn_now(void) {
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* sudo blocks both while PAM runs, so they stay pending and would otherwise wait for the whole login. */
static bool is_interrupted(void) {
    sigset_t pending;

    if (sigpending(&pending) != 0)
        return false;
    return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGQUIT) == 1;
}

/* For a try that begins now: whether it is the last one. */
static bool is_over(int64_t deadline) {
    return conn_now() >= deadline;
}

/*
 * Waits for `events` on `fd`, or with fd -1 for nothing but time, one slice at the most.
 * CONN_OK means: try again. A signal that was handled is no reason to stop.
 *
 * Invariant: only a try that began at the deadline or later was the last (`over`). A program that was stopped, or not
 * run, behind an earlier one looks again: what came meanwhile is no silence.
 */
static enum conn_status wait_slice(int fd, short events, int slice, int64_t deadline, bool over) {
    struct pollfd entry = {.fd = fd, .events = events};
    int64_t left = deadline - conn_now();

    if (is_interrupted())
        return CONN_INTERRUPTED;
    if (over)
        return CONN_TIMEOUT;
    if (left > 0 && poll(&entry, 1, left < slice ? (int)left : slice) < 0 && errno != EINTR)
        return CONN_FAILED;
    return CONN_OK;
}

int conn_above_standard(int fd) {
    int moved;

    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    (void)close(fd);
    return moved;
}

static enum conn_status connect_until(int fd, const struct sockaddr_un *address, int64_t deadline) {
    enum conn_status status = CONN_OK;

    while (status == CONN_OK) {
        bool over = is_over(deadline);

        if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
            return CONN_OK;
        switch (errno) {
        case EINTR:
            status = wait_slice(-1, 0, 0, deadline, over);
            break;
        case EAGAIN:
            status = wait_slice(-1, 0, BACKLOG_MS, deadline, over);
            break;
        case ENOENT:
        case ECONNREFUSED:
            return CONN_ABSENT;
        default:
            return CONN_FAILED;
        }
    }
    return status;
}

enum conn_status conn_open(const char *path, int64_t deadline, int *fd) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    enum conn_status status;
    size_t length = strlen(path);

    *fd = -1;
    if (length >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return CONN_FAILED;
    }
    memcpy(address.sun_path, path, length + 1);
    *fd = conn_above_standard(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (*fd < 0)
        return CONN_FAILED;
    status = connect_until(*fd, &address, deadline);
    if (status != CONN_OK)
        conn_close(fd);
    return status;
}

bool conn_peer(int fd, uid_t *uid) {
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof(peer))
        return false;
    *uid = peer.uid;
    return true;
}

enum conn_status conn_write(int fd, const uint8_t *bytes, size_t length, int64_t deadline) {
    enum conn_status status = CONN_OK;

    for (size_t sent = 0; sent < length && status == CONN_OK;) {
        bool over = is_over(deadline);
        ssize_t now = send(fd, bytes + sent, length - sent, MSG_NOSIGNAL);

        if (now >= 0)
            sent += (size_t)now;
        else if (errno == EPIPE || errno == ECONNRESET)
            status = CONN_CLOSED;
        else if (errno == EAGAIN)
            status = wait_slice(fd, POLLOUT, SLICE_MS, deadline, over);
        else if (errno != EINTR)
            status = CONN_FAILED;
    }
    return status;
}

enum conn_status conn_read(int fd, uint8_t *bytes, size_t length, size_t *got, int64_t deadline) {
    enum conn_status status = CONN_OK;

    *got = 0;
    while (*got < length && status == CONN_OK) {
        bool over = is_over(deadline);
        ssize_t now = recv(fd, bytes + *got, length - *got, 0);

        if (now > 0)
            *got += (size_t)now;
        else if (now == 0 || errno == ECONNRESET)
            status = CONN_CLOSED;
        else if (errno == EAGAIN)
            status = wait_slice(fd, POLLIN, SLICE_MS, deadline, over);
        else if (errno != EINTR)
            status = CONN_FAILED;
    }
    return status;
}

bool conn_readable(int fd) {
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    int ready;

    do
        ready = poll(&entry, 1, 0);
    while (ready < 0 && errno == EINTR);
    return ready != 0;
}

void conn_close(int *fd) {
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}
