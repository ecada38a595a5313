/*
 * sallyport-password: one request: whether this is the password of that account (which PAM answers), or whether
 * the account has a password at all.
 * docs/reference/protocol.md, "The password helper".
 *
 * Invariants:
 * - only sallyportd is answered, as root, and by the system's own stack;
 * - there is one request and one verdict, and the process ends: at the latest by its alarm;
 * - the password is in no argument, environment, log or core, and is wiped before the verdict leaves.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "../frames/stream.h"
#include "account.h"
#include "peer.h"
#include "check.h"
#include "request.h"

/* The daemon writes its request at once. */
enum { REQUEST_S = 5 };

static struct frame_in incoming;
static struct request request;

/*
 * Set-id this program would confirm passwords to every user; so, or with capabilities of its file, it would run the
 * modules that a directory of the caller's names as another uid. AT_SECURE by itself is not a fault: SELinux sets it
 * for services too.
 */
static bool is_raised(bool has_confdir) {
    return getuid() != geteuid() || getgid() != getegid() || (has_confdir && getauxval(AT_SECURE) != 0);
}

/* In the place of one that is closed another file would be opened, and be written to. */
static bool has_descriptors(void) {
    return fcntl(STDIN_FILENO, F_GETFD) >= 0 && fcntl(STDOUT_FILENO, F_GETFD) >= 0 &&
           fcntl(STDERR_FILENO, F_GETFD) >= 0;
}

static bool parse_options(int argc, char **argv, const char **confdir) {
    static const struct option options[] = {{"confdir", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option != 'c' || *confdir != NULL || optarg[0] != '/')
            return false;
        *confdir = optarg;
    }
    return optind == argc;
}

/* No module that runs as root has to gain anything; unix_chkpwd, which pam_unix starts for others, has to. */
static bool harden(void) {
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        return false;
    if (geteuid() == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return false;
    if (clearenv() != 0 || setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1) != 0)
        return false;
    (void)umask(077);
    return close_range(STDERR_FILENO + 1, ~0u, 0) == 0;
}

/* The process that started us may have left signals blocked or ignored, and with them the alarm. */
static void handle_signals(void) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGCHLD, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool read_request(void) {
    struct pollfd entry = {.fd = STDIN_FILENO, .events = POLLIN};
    enum read_status status = READ_MORE;
    bool good;

    while (status == READ_MORE) {
        if (poll(&entry, 1, -1) < 0 && errno != EINTR)
            break;
        status = frame_read(STDIN_FILENO, &incoming);
    }
    good = status == READ_FRAME && request_parse(incoming.body, incoming.length, &request);
    frame_reset(&incoming);
    return good;
}

/* Without root pam_unix knows only the password of our own account: enough for --confdir. */
static enum verdict answer(const char *confdir) {
    if (geteuid() != 0 && confdir == NULL) {
        syslog(LOG_ERR, "not root: cannot verify passwords");
        return VERDICT_FAILED;
    }
    return request.type == FRAME_LOOK ? look_for_password(request.user) : check_password(&request, confdir);
}

static bool write_verdict(enum verdict verdict) {
    uint8_t bytes[FRAME_HEADER + 1 + FIELD_HEADER + 1];
    struct frame_out frame = {.bytes = bytes, .size = sizeof(bytes)};

    frame_begin(&frame, FRAME_VERDICT);
    frame_put_u8(&frame, TAG_CODE, (uint8_t)verdict);
    return frame_end(&frame) > 0 && frame_write(STDOUT_FILENO, &frame);
}

int main(int argc, char **argv) {
    const char *confdir = NULL;
    enum verdict verdict;

    if (!has_descriptors() || !parse_options(argc, argv, &confdir) || is_raised(confdir != NULL) || !harden())
        _exit(1);
    handle_signals();
    (void)alarm(REQUEST_S);
    openlog("sallyport-password", LOG_PID, LOG_AUTHPRIV);
    if (!peer_may_ask(STDIN_FILENO, confdir != NULL) || !read_request()) {
        explicit_bzero(&request, sizeof(request));
        _exit(1);
    }
    (void)alarm((request.deadline + 999) / 1000);
    verdict = answer(confdir);
    explicit_bzero(&request, sizeof(request));
    /* Not exit(): nothing that a module has registered is to hold up the verdict. */
    _exit(write_verdict(verdict) ? 0 : 1);
}
