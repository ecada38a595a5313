/* The conversation with PAM: one prompt, one answer, and what comes of it. */
#define _GNU_SOURCE

#include "check.h"

#include "equal-work.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <security/pam_appl.h>

/* Compiled in: the caller cannot choose the stack. */
static const char service[] = "sallyport-password";

enum { MESSAGES_MAX = PAM_MAX_NUM_MSG };

struct conversation {
    const char *password;
    /* Prompts that were answered. */
    unsigned int answered;
    /* The account part is under way: the password has been asked for by now, or never was. */
    bool over;
    /* The stack wanted something else than one password. */
    bool broken;
};

/* True: the message wants an answer, and gets one. Texts are dropped: no person is there to read them. */
static bool wants_password(struct conversation *conversation, const struct pam_message *message) {
    switch (message->msg_style) {
    case PAM_TEXT_INFO:
    case PAM_ERROR_MSG:
        return false;
    case PAM_PROMPT_ECHO_OFF:
        conversation->broken = conversation->broken || conversation->over || conversation->answered > 0;
        conversation->answered++;
        return !conversation->broken;
    default:
        conversation->broken = true;
        return false;
    }
}

static void drop_responses(struct pam_response *responses, int count) {
    for (int i = 0; i < count; i++) {
        if (responses[i].resp == NULL)
            continue;
        explicit_bzero(responses[i].resp, strlen(responses[i].resp));
        free(responses[i].resp);
    }
    free(responses);
}

/*
 * Invariants: the password is given once, to a prompt that does not show it; a stack that asks for more gets
 * nothing more, and cannot end well whatever it says afterwards.
 */
static int converse(int count, const struct pam_message **messages, struct pam_response **out, void *data) {
    struct conversation *conversation = data;
    struct pam_response *responses = NULL;

    *out = NULL;
    if (count > 0 && count <= MESSAGES_MAX)
        responses = calloc((size_t)count, sizeof(*responses));
    if (responses == NULL) {
        conversation->broken = true;
        return PAM_CONV_ERR;
    }
    for (int i = 0; i < count && !conversation->broken; i++) {
        if (!wants_password(conversation, messages[i]))
            continue;
        responses[i].resp = strdup(conversation->password);
        conversation->broken = responses[i].resp == NULL;
    }
    if (conversation->broken) {
        drop_responses(responses, count);
        return PAM_CONV_ERR;
    }
    *out = responses;
    return PAM_SUCCESS;
}

/* The daemon delays and limits the rate, without holding up a process. */
static void no_delay(int status, unsigned int delay, void *data) {
    (void)status;
    (void)delay;
    (void)data;
}

static int set_items(pam_handle_t *pamh, const struct request *request) {
    void (*const delay)(int, unsigned int, void *) = no_delay;
    const void *item;
    int code;

    /* ISO C has no cast from a function to an object. */
    memcpy(&item, &delay, sizeof(item));
    code = pam_set_item(pamh, PAM_FAIL_DELAY, item);
    if (code == PAM_SUCCESS && request->source[0] != '\0')
        code = pam_set_item(pamh, PAM_RHOST, request->source);
    return code;
}

/* A module that changed PAM_USER would have verified another account's password. */
static bool is_still(pam_handle_t *pamh, const char *user) {
    const void *item = NULL;

    return pam_get_item(pamh, PAM_USER, &item) == PAM_SUCCESS && item != NULL && strcmp(item, user) == 0;
}

/*
 * Everything that is not here is a stack that is broken. AUTHTOK_EXPIRED: so long expired that it cannot be
 * changed any more, so that the account is closed.
 */
static enum verdict verdict_of(int code) {
    switch (code) {
    case PAM_SUCCESS:
        return VERDICT_RIGHT;
    case PAM_NEW_AUTHTOK_REQD:
        return VERDICT_EXPIRED;
    case PAM_AUTH_ERR:
    case PAM_USER_UNKNOWN:
    case PAM_ACCT_EXPIRED:
    case PAM_AUTHTOK_EXPIRED:
    case PAM_PERM_DENIED:
    case PAM_MAXTRIES:
    case PAM_CRED_INSUFFICIENT:
    case PAM_CRED_UNAVAIL:
    case PAM_CRED_EXPIRED:
    case PAM_CRED_ERR:
        return VERDICT_WRONG;
    default:
        return VERDICT_FAILED;
    }
}

/*
 * Some modules say already while they authenticate that the password has to be changed; the account is asked
 * about all the same.
 */
static int ask(pam_handle_t *pamh, const struct request *request, struct conversation *conversation) {
    const int flags = PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK;
    int code = set_items(pamh, request);

    if (code == PAM_SUCCESS)
        code = pam_authenticate(pamh, flags);
    if (code == PAM_SUCCESS || code == PAM_NEW_AUTHTOK_REQD) {
        int account;

        conversation->over = true;
        account = pam_acct_mgmt(pamh, flags);
        if (account != PAM_SUCCESS)
            code = account;
    }
    return code;
}

/*
 * Invariants: no verdict but "wrong" and "failed" comes from a stack whose auth part has not asked for the password
 * exactly once: one that asks nothing has not checked it, whatever it says.
 */
static enum verdict verdict_from(pam_handle_t *pamh, const char *user, const struct conversation *conversation,
                                 int code) {
    enum verdict verdict = verdict_of(code);
    const char *fault = NULL;

    if (conversation->broken)
        fault = "requested more than a password";
    else if (!is_still(pamh, user))
        fault = "changed PAM_USER";
    else if (verdict != VERDICT_WRONG && verdict != VERDICT_FAILED && conversation->answered != 1)
        fault = "succeeded without requesting a password";
    else if (verdict == VERDICT_FAILED)
        fault = pam_strerror(pamh, code);
    if (fault == NULL)
        return verdict;
    syslog(LOG_ERR, "PAM service %s: %s", service, fault);
    return VERDICT_FAILED;
}

static bool is_there(const char *directory) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s", directory, service);

    return length > 0 && (size_t)length < sizeof(path) && access(path, R_OK) == 0;
}

/*
 * Without a separate file libpam would take the service "other", which mostly includes common-auth: a stack that
 * may hold the second factor, and so ask the daemon that asks here.
 */
static bool service_exists(const char *confdir) {
    if (confdir != NULL)
        return is_there(confdir);
    return is_there("/etc/pam.d") || is_there("/usr/lib/pam.d");
}

static int start(const char *confdir, const char *user, const struct pam_conv *conv, pam_handle_t **pamh) {
    if (confdir != NULL)
        return pam_start_confdir(service, user, conv, confdir, pamh);
    return pam_start(service, user, conv, pamh);
}

enum verdict check_password(const struct request *request, const char *confdir) {
    struct conversation conversation = {.password = request->password};
    const struct pam_conv conv = {converse, &conversation};
    enum verdict verdict = VERDICT_FAILED;
    pam_handle_t *pamh = NULL;
    int code;

    if (!request->password_possible)
        return VERDICT_WRONG;
    if (!service_exists(confdir)) {
        syslog(LOG_ERR, "PAM service %s not found", service);
        return VERDICT_FAILED;
    }
    code = start(confdir, request->user, &conv, &pamh);
    if (code != PAM_SUCCESS) {
        syslog(LOG_ERR, "cannot use PAM service %s: %s", service, pam_strerror(pamh, code));
        return VERDICT_FAILED;
    }
    code = ask(pamh, request, &conversation);
    verdict = verdict_from(pamh, request->user, &conversation, code);
    if (verdict == VERDICT_WRONG)
        work_as_for_a_password(request->user, request->password);
    (void)pam_end(pamh, code);
    return verdict;
}
