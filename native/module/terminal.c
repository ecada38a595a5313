#define _GNU_SOURCE

#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "conn.h"

/* How long a wait may last before signals are looked for again: short enough to feel at once. */
enum { SLICE_MS = 100 };

/* One prompt while it is open. */
struct prompt {
    int fd;
    int socket;
    int64_t deadline;
    struct termios before;
    /* What the program had blocked, and what is looked for while the prompt is open. */
    sigset_t mask;
    sigset_t watched;
};

static const char terminal_path[] = "/dev/tty";

static bool is_controlling(int fd) {
    pid_t session = tcgetsid(fd);

    return session >= 0 && session == getsid(0);
}

static bool is_foreground(int fd) {
    pid_t group = tcgetpgrp(fd);

    return group > 0 && group == getpgrp();
}

/* Non-blocking, so that a terminal stopped by ^S cannot hold the login beyond its deadline. */
static int open_terminal(void) {
    int fd = conn_above_standard(open(terminal_path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));

    if (fd >= 0 && !is_controlling(fd)) {
        (void)close(fd);
        errno = ENOTTY;
        return -1;
    }
    return fd;
}

/* PAM_TTY comes with "/dev/" before it or without; "ssh" and ":0" are no devices. */
static bool is_standard_input(const char *name) {
    char path[sizeof("/dev/") + TTY_MAX];
    struct stat named;
    struct stat input;

    (void)snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : "/dev/", name);
    return stat(path, &named) == 0 && fstat(STDIN_FILENO, &input) == 0 && S_ISCHR(named.st_mode) &&
           S_ISCHR(input.st_mode) && named.st_rdev == input.st_rdev;
}

bool terminal_usable(const char *name) {
    int fd;
    bool usable;

    if (name == NULL || name[0] == '\0' || !is_standard_input(name) || !is_controlling(STDIN_FILENO))
        return false;
    fd = open_terminal();
    usable = fd >= 0 && is_foreground(fd);
    conn_close(&fd);
    return usable;
}

static bool is_ignored(int number) {
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0 &&
           action.sa_handler == SIG_IGN;
}

/*
 * Signals that would end or stop the program are blocked while the echo is off, and delivered when the terminal is
 * as it was: so no user is left at a shell that shows nothing, and no handler is set in a process that is not ours.
 * - ^C and ^\ cancel in every program, also in one that ignores or blocks them: what is blocked stays pending.
 * - What else the program ignores or has blocked itself is its own business.
 */
static void hold_signals(struct prompt *prompt) {
    static const int always[] = {SIGINT, SIGQUIT};
    static const int others[] = {SIGHUP, SIGTERM, SIGALRM, SIGTSTP};

    (void)sigemptyset(&prompt->mask);
    (void)sigemptyset(&prompt->watched);
    (void)sigprocmask(SIG_BLOCK, NULL, &prompt->mask);
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        (void)sigaddset(&prompt->watched, always[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (sigismember(&prompt->mask, others[i]) == 0 && !is_ignored(others[i]))
            (void)sigaddset(&prompt->watched, others[i]);
    (void)sigprocmask(SIG_BLOCK, &prompt->watched, NULL);
}

static enum terminal_status look_for_signals(const struct prompt *prompt) {
    sigset_t pending;

    if (sigpending(&pending) != 0 || sigandset(&pending, &pending, &prompt->watched) != 0 ||
        sigisemptyset(&pending))
        return TERMINAL_READY;
    (void)sigdelset(&pending, SIGTSTP);
    return sigisemptyset(&pending) ? TERMINAL_SUSPENDED : TERMINAL_CANCELLED;
}

/* The daemon goes before the user: it has withdrawn the prompt, or refused. */
static enum terminal_status wait_for(const struct prompt *prompt, short events) {
    struct pollfd entries[] = {{.fd = prompt->socket, .events = POLLIN}, {.fd = prompt->fd, .events = events}};
    enum terminal_status status;

    while ((status = look_for_signals(prompt)) == TERMINAL_READY) {
        int64_t left = prompt->deadline - conn_now();
        int ready = poll(entries, 2, left <= 0 ? 0 : left < SLICE_MS ? (int)left : SLICE_MS);

        if (ready > 0)
            return entries[0].revents != 0 ? TERMINAL_DAEMON : TERMINAL_READY;
        if (ready < 0 && errno != EINTR)
            return TERMINAL_FAILED;
        if (left <= 0)
            return TERMINAL_TIMEOUT;
    }
    return status;
}

static bool set(int fd, const struct termios *settings) {
    int done;

    do
        done = tcsetattr(fd, TCSANOW, settings);
    while (done != 0 && errno == EINTR);
    return done == 0;
}

/*
 * Echo off and nothing else that a sane terminal has: a process that is killed here with SIGKILL leaves a terminal
 * that "stty echo" restores, and that login programs reset by themselves. What was typed before is dropped, as sudo, su
 * and login drop it: it was not meant for this prompt, and may have been seen.
 */
static bool enter(struct prompt *prompt) {
    struct termios hidden;

    if (tcgetattr(prompt->fd, &prompt->before) != 0)
        return false;
    hidden = prompt->before;
    hidden.c_iflag = (hidden.c_iflag | ICRNL) & ~(tcflag_t)(IGNCR | INLCR);
    hidden.c_lflag = (hidden.c_lflag | ICANON | ISIG) & ~(tcflag_t)(ECHO | ECHONL);
    if (!set(prompt->fd, &hidden))
        return false;
    (void)tcflush(prompt->fd, TCIFLUSH);
    return true;
}

/* Half a code MUST NOT be left for the shell, nor the rest of a line that was too long. */
static void leave(const struct prompt *prompt, bool answered) {
    ssize_t written;

    if (!answered)
        (void)tcflush(prompt->fd, TCIFLUSH);
    (void)set(prompt->fd, &prompt->before);
    written = write(prompt->fd, "\n", 1);
    (void)written;
}

static enum terminal_status show(const struct prompt *prompt, const uint8_t *text, size_t length) {
    enum terminal_status status = TERMINAL_READY;

    for (size_t shown = 0; shown < length && status == TERMINAL_READY;) {
        ssize_t now = write(prompt->fd, text + shown, length - shown);

        if (now >= 0)
            shown += (size_t)now;
        else if (errno == EAGAIN)
            status = wait_for(prompt, POLLOUT);
        else if (errno != EINTR)
            status = TERMINAL_CANCELLED;
    }
    return status;
}

/*
 * One line. The terminal hands it over only when it is whole, so that erasing works, except for ^D: that hands over
 * what has been typed, which is nothing at the start of a line, and the end of the file; a hang-up reads the same.
 */
static enum terminal_status take_line(const struct prompt *prompt, struct answer *answer) {
    enum terminal_status status;

    while ((status = wait_for(prompt, POLLIN)) == TERMINAL_READY) {
        ssize_t now = read(prompt->fd, answer->bytes + answer->length, sizeof(answer->bytes) - answer->length);

        if (now < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (now <= 0)
            return TERMINAL_CANCELLED;
        answer->length += (size_t)now;
        if (answer->bytes[answer->length - 1] == '\n') {
            answer->bytes[--answer->length] = '\0';
            answer->given = true;
            return TERMINAL_ANSWERED;
        }
        if (answer->length > ANSWER_MAX)
            return TERMINAL_CANCELLED;
    }
    return status;
}

static enum terminal_status ask_once(struct prompt *prompt, const uint8_t *text, size_t length,
                                     struct answer *answer) {
    enum terminal_status status = TERMINAL_FAILED;

    hold_signals(prompt);
    if (enter(prompt)) {
        status = show(prompt, text, length);
        if (status == TERMINAL_READY)
            status = take_line(prompt, answer);
        if (status != TERMINAL_ANSWERED)
            answer_wipe(answer);
        leave(prompt, status == TERMINAL_ANSWERED);
    }
    /* Here ^Z stops the program, and here it is ended by what would have ended it before. */
    (void)sigprocmask(SIG_SETMASK, &prompt->mask, NULL);
    return status;
}

enum terminal_status terminal_ask(int socket, const uint8_t *text, size_t length, int64_t deadline,
                                  struct answer *answer) {
    struct prompt prompt = {.socket = socket, .deadline = deadline};
    enum terminal_status status;

    answer_wipe(answer);
    prompt.fd = open_terminal();
    if (prompt.fd < 0)
        return TERMINAL_FAILED;
    do
        status = ask_once(&prompt, text, length, answer);
    while (status == TERMINAL_SUSPENDED);
    conn_close(&prompt.fd);
    return status;
}
