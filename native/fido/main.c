/*
 * sallyport-fido: one request to the security keys that are plugged in. docs/reference/protocol.md, "The FIDO helper".
 *
 * Invariants:
 * - no device is touched before the request was read whole and accepted;
 * - no PIN is in an argument, the environment, a log, a core or a frame to the daemon;
 * - the process ends: at an outcome, at the end of standard input, at SIGTERM, at the deadline, and if all else
 *   hangs at the alarm a little later.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "devices.h"
#include "../frames/stream.h"
#include "request.h"
#include "session.h"

enum {
    /* The daemon writes its request at once. */
    REQUEST_MS = 5000,
    /* Beyond the deadline: the farewell, and a system that is slow. */
    ALARM_EXTRA_S = 2,
};

static struct session session;
static struct frame_in incoming;
static struct request request;

static void on_term(int signal) {
    int saved = errno;
    ssize_t ignored = write(session.wake[1], "T", 1);

    (void)signal;
    (void)ignored;
    errno = saved;
}

static void on_press(int signal) {
    (void)signal;
}

static void harden(void) {
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(1);
    devices_prepare();
    if (clearenv() != 0)
        _exit(1);
}

/* SIGUSR1 does nothing but end a system call: that is how a worker is got out of libfido2. */
static void handle_signals(void) {
    struct sigaction action = {.sa_handler = on_term};

    if (pipe2(session.wake, O_CLOEXEC | O_NONBLOCK) != 0)
        _exit(1);
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    action.sa_handler = on_press;
    (void)sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
    action.sa_handler = SIG_DFL;
    (void)sigaction(SIGALRM, &action, NULL);
}

static bool read_request(int64_t until) {
    enum read_status status = READ_MORE;

    while (status == READ_MORE) {
        struct pollfd entries[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = session.wake[0], .events = POLLIN}};
        int64_t left = until - session_now();

        if (left <= 0 || (poll(entries, 2, (int)left) < 0 && errno != EINTR) || (entries[1].revents & POLLIN) != 0)
            return false;
        if (entries[0].revents != 0)
            status = frame_read(STDIN_FILENO, &incoming);
    }
    return status == READ_FRAME && request_parse(incoming.body, incoming.length, &request);
}

int main(void) {
    int64_t started = session_now();

    (void)alarm(REQUEST_MS / 1000 + ALARM_EXTRA_S);
    harden();
    handle_signals();
    if (!read_request(started + REQUEST_MS))
        _exit(1);
    started = session_now();
    (void)alarm(request.deadline / 1000 + 1 + ALARM_EXTRA_S);
    /* Not exit(): a worker may still be in libfido2. */
    _exit(session_run(&session, &request, started) ? 0 : 1);
}
