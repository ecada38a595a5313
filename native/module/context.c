#define _GNU_SOURCE

#include "context.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <security/pam_ext.h>

#include "../frames/codec.h"

/* A path has at most 4096 bytes; cgroup v1 has a dozen lines. A longer file has no session for us. */
enum { CGROUP_MAX = 8192 };

/* The first ':' after the hierarchy's number, or NULL for a line whose hierarchy systemd does not keep. */
static const char *systemd_path(const char *line) {
    static const char unified[] = "0::";
    static const char named[] = ":name=systemd:";
    const char *colon = strchr(line, ':');

    if (strncmp(line, unified, sizeof(unified) - 1) == 0)
        return line + sizeof(unified) - 1;
    if (colon != NULL && strncmp(colon, named, sizeof(named) - 1) == 0)
        return colon + sizeof(named) - 1;
    return NULL;
}

static bool ends_with(const char *text, size_t length, const char *end) {
    size_t tail = strlen(end);

    return length > tail && memcmp(text + length - tail, end, tail) == 0;
}

/* Takes the ID out of "session-ID.scope", as logind makes it: letters and digits. */
static bool scope_session(const char *name, size_t length, char *id) {
    static const char prefix[] = "session-";
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *from = name + sizeof(prefix) - 1;

    if (!ends_with(name, length, ".scope") || strncmp(name, prefix, sizeof(prefix) - 1) != 0)
        return false;
    length = strspn(from, alphabet);
    if (length == 0 || length > SESSION_MAX || strncmp(from + length, ".scope", 6) != 0)
        return false;
    memcpy(id, from, length);
    id[length] = '\0';
    return true;
}

/*
 * The daemon treats a local session as a user at this machine's seat. So the ID
 * - MUST NOT come from the environment, which the user sets;
 * - MUST come from a scope directly below slices: the owner of user@UID.service may make groups of
 *   any name below it, and put a sudo into another one's "session-1.scope".
 */
void context_session(const char *cgroups, char *id) {
    id[0] = '\0';
    for (const char *line = cgroups; *line != '\0';) {
        size_t line_length = strcspn(line, "\n");
        const char *at = systemd_path(line);
        const char *end = line + line_length;

        while (at != NULL && at < end && *at == '/') {
            size_t name = strcspn(at + 1, "/\n");

            if (scope_session(at + 1, name, id) || !ends_with(at + 1, name, ".slice"))
                break;
            at += 1 + name;
        }
        line = *end == '\n' ? end + 1 : end;
    }
}

/* "" when the file cannot be read whole: a login without a session is never local. */
static void read_session(char *id) {
    char text[CGROUP_MAX];
    size_t length = 0;
    ssize_t now = 1;
    int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC | O_NOCTTY);

    id[0] = '\0';
    while (fd >= 0 && now != 0 && length < sizeof(text) - 1) {
        now = read(fd, text + length, sizeof(text) - 1 - length);
        if (now > 0)
            length += (size_t)now;
        else if (now < 0 && errno != EINTR)
            break;
    }
    if (fd >= 0)
        (void)close(fd);
    text[length] = '\0';
    if (now == 0)
        context_session(text, id);
}

/*
 * A text that the daemon decides by MUST arrive whole or not at all, and "not at all" MUST NOT mean something
 * laxer: a PAM_RHOST that is left out would make a remote login look local.
 */
static bool take_item(pam_handle_t *pamh, int item, const char *name, size_t longest, const char **text) {
    const void *value = NULL;

    *text = NULL;
    if (pam_get_item(pamh, item, &value) != PAM_SUCCESS || value == NULL)
        return true;
    *text = value;
    if (strlen(*text) <= longest)
        return true;
    pam_syslog(pamh, LOG_ERR, "%s is longer than %zu bytes (login refused)", name, longest);
    return false;
}

static int take_user(pam_handle_t *pamh, struct context *context) {
    const char *user = NULL;
    size_t length;

    if (pam_get_user(pamh, &user, NULL) != PAM_SUCCESS || user == NULL)
        return PAM_AUTH_ERR;
    length = strlen(user);
    if (length == 0 || length > USER_MAX) {
        pam_syslog(pamh, LOG_ERR, "PAM_USER is empty or longer than %d bytes (login refused)", USER_MAX);
        return PAM_SYSTEM_ERR;
    }
    memcpy(context->user, user, length + 1);
    return PAM_SUCCESS;
}

int context_gather(pam_handle_t *pamh, int flags, struct context *context) {
    int code;

    *context = (struct context){.real_uid = (uint32_t)getuid(), .flags = (uint32_t)flags};
    code = take_user(pamh, context);
    if (code != PAM_SUCCESS)
        return code;
    if (!take_item(pamh, PAM_SERVICE, "PAM_SERVICE", SERVICE_MAX, &context->service) ||
        !take_item(pamh, PAM_RUSER, "PAM_RUSER", RUSER_MAX, &context->ruser) ||
        !take_item(pamh, PAM_RHOST, "PAM_RHOST", RHOST_MAX, &context->rhost) ||
        !take_item(pamh, PAM_TTY, "PAM_TTY", TTY_MAX, &context->tty))
        return PAM_SYSTEM_ERR;
    if (context->service == NULL || context->service[0] == '\0') {
        pam_syslog(pamh, LOG_ERR, "PAM_SERVICE is empty (login refused)");
        return PAM_SYSTEM_ERR;
    }
    context->ssh_auth_info = pam_getenv(pamh, "SSH_AUTH_INFO_0");
    /* Without it the first factor counts as not verified, which is stricter. */
    if (context->ssh_auth_info != NULL && strlen(context->ssh_auth_info) > SSH_AUTH_INFO_MAX)
        context->ssh_auth_info = NULL;
    read_session(context->session);
    return PAM_SUCCESS;
}

bool context_same_user(pam_handle_t *pamh, const struct context *context) {
    const void *user = NULL;

    if (pam_get_item(pamh, PAM_USER, &user) != PAM_SUCCESS || user == NULL)
        return false;
    return strcmp(user, context->user) == 0;
}

static void put_text(struct frame_out *out, uint8_t tag, const char *text) {
    if (text != NULL && text[0] != '\0')
        frame_put(out, tag, text, strlen(text));
}

size_t context_hello(const struct context *context, const struct options *options, uint32_t deadline_ms,
                     uint8_t *bytes, size_t size) {
    struct frame_out out = {.bytes = bytes, .size = size};

    frame_begin(&out, FRAME_HELLO);
    frame_put_u8(&out, TAG_VERSION, PROTOCOL_VERSION);
    put_text(&out, TAG_SERVICE, context->service);
    put_text(&out, TAG_USER, context->user);
    put_text(&out, TAG_RUSER, context->ruser);
    put_text(&out, TAG_RHOST, context->rhost);
    put_text(&out, TAG_TTY, context->tty);
    put_text(&out, TAG_SESSION, context->session);
    frame_put_u32(&out, TAG_REAL_UID, context->real_uid);
    frame_put_u8(&out, TAG_MODE, (uint8_t)options->mode);
    frame_put_u8(&out, TAG_FIRST_FACTOR, options->first_factor_passed ? 1 : 0);
    put_text(&out, TAG_SSH_AUTH_INFO, context->ssh_auth_info);
    frame_put_u32(&out, TAG_DEADLINE, deadline_ms);
    frame_put_u32(&out, TAG_FLAGS, context->flags);
    if (context->terminal)
        frame_put_u8(&out, TAG_TERMINAL, 1);
    return frame_end(&out);
}
