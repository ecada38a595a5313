/* The six entry points. Everything but authentication answers by itself: docs/reference/protocol.md, "Return codes". */
#define _GNU_SOURCE

#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <security/pam_ext.h>
#include <security/pam_modules.h>

#include "conn.h"
#include "context.h"
#include "dialogue.h"
#include "options.h"
#include "terminal.h"

#define EXPORTED __attribute__((visibility("default")))

/* The whole state of one call, on its stack and nowhere else. */
struct login {
    struct options options;
    struct context context;
    struct dialogue dialogue;
};

/*
 * The listener reads what is typed and decides the login. It MUST be root, our own uid, or the uid that the
 * stack names; by number, since a name would ask NSS, which may be the thing that hangs.
 */
static bool trusted(pam_handle_t *pamh, const struct options *options, int fd) {
    uid_t peer;

    if (!conn_peer(fd, &peer)) {
        pam_syslog(pamh, LOG_ERR, "%s: cannot read peer credentials: %s (login refused)", options->socket,
                   strerror(errno));
        return false;
    }
    if (peer == 0 || peer == geteuid() || (options->has_server_uid && peer == options->server_uid))
        return true;
    pam_syslog(pamh, LOG_ALERT, "%s belongs to uid %lu, which is neither root nor server_uid= (login refused)",
               options->socket, (unsigned long)peer);
    return false;
}

/* PAM_SUCCESS: `fd` leads to a listener that we trust. Otherwise what pam_sm_authenticate returns. */
static int reach(pam_handle_t *pamh, const struct options *options, int64_t deadline, int *fd) {
    switch (conn_open(options->socket, deadline, fd)) {
    case CONN_OK:
        return trusted(pamh, options, *fd) ? PAM_SUCCESS : PAM_SYSTEM_ERR;
    case CONN_ABSENT:
        return dialogue_unavailable(pamh, options, "no listener");
    case CONN_TIMEOUT:
        return dialogue_unavailable(pamh, options, "the backlog stays full");
    case CONN_INTERRUPTED:
        return PAM_AUTH_ERR;
    default:
        pam_syslog(pamh, LOG_ERR, "cannot connect to %s: %s (login refused)", options->socket,
                   strerror(errno));
        return PAM_SYSTEM_ERR;
    }
}

static int authenticate(pam_handle_t *pamh, struct login *login) {
    struct dialogue *dialogue = &login->dialogue;
    int64_t start = conn_now();
    int code;

    dialogue->pamh = pamh;
    dialogue->options = &login->options;
    dialogue->context = &login->context;
    dialogue->deadline = start + login->options.timeout_ms;
    dialogue->first_deadline = start + FIRST_FRAME_MS;
    code = reach(pamh, &login->options, dialogue->first_deadline, &dialogue->fd);
    if (code == PAM_SUCCESS)
        code = dialogue_run(dialogue);
    conn_close(&dialogue->fd);
    return code;
}

/* The other modes have a password to strip or to take over, and so need the conversation. */
static bool asks_at_terminal(const struct login *login) {
    return login->options.mode == MODE_PROMPT && !login->options.no_terminal &&
           terminal_usable(login->context.tty);
}

/*
 * Invariants, whatever happens in between:
 * - the code is the daemon's, or one that refuses: there is no other way to SUCCESS or IGNORE;
 * - the socket is closed and what was typed is wiped before the program goes on.
 */
EXPORTED int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv) {
    struct login login;
    int code = PAM_SERVICE_ERR;

    memset(&login, 0, sizeof(login));
    if (!options_parse(pamh, argc, argv, geteuid(), &login.options))
        goto out;
    code = context_gather(pamh, flags, &login.context);
    if (code != PAM_SUCCESS)
        goto out;
    login.context.terminal = asks_at_terminal(&login);
    code = authenticate(pamh, &login);
out:
    explicit_bzero(&login, sizeof(login));
    return code;
}

/* SUCCESS: libpam repeats the path of the auth stack here; behind a jump anything else would refuse. */
EXPORTED int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv) {
    (void)pamh;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_SUCCESS;
}

EXPORTED int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv) {
    (void)pamh;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_IGNORE;
}

EXPORTED int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv) {
    (void)pamh;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_IGNORE;
}

EXPORTED int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv) {
    (void)pamh;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_IGNORE;
}

EXPORTED int pam_sm_chauthtok(pam_handle_t *pamh, int flags, int argc, const char **argv) {
    (void)pamh;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_IGNORE;
}
