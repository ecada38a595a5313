/* What the login program and the kernel say about this login: the facts of HELLO. */
#ifndef SALLYPORT_CONTEXT_H
#define SALLYPORT_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <security/pam_modules.h>

#include "options.h"
#include "protocol.h"

struct context {
    char user[USER_MAX + 1];
    char session[SESSION_MAX + 1];
    /* These belong to libpam; NULL if not set. */
    const char *service;
    const char *ruser;
    const char *rhost;
    const char *tty;
    const char *ssh_auth_info;
    uint32_t real_uid;
    uint32_t flags;
    /* The module can ask at the terminal of the process; context_gather leaves it false. */
    bool terminal;
};

/* PAM_SUCCESS, or what pam_sm_authenticate returns because the facts are incomplete. */
int context_gather(pam_handle_t *pamh, int flags, struct context *context);
/* Whether PAM_USER is still the account that HELLO named. */
bool context_same_user(pam_handle_t *pamh, const struct context *context);
/* Writes HELLO. Returns the bytes of the frame, or 0 when they do not fit. */
size_t context_hello(const struct context *context, const struct options *options, uint32_t deadline_ms,
                     uint8_t *bytes, size_t size);
/* The session in the text of /proc/self/cgroup; "" if there is no session. `id` has SESSION_MAX + 1 bytes. */
void context_session(const char *cgroups, char *id);

#endif
