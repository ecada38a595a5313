/*
 * Whether an account has a password: what pam_unix would compare with, looked up as pam_unix does.
 *
 * Invariants:
 * - VERDICT_NONE is said only of an account of /etc/passwd whose password field no password can match; whatever
 *   cannot be established counts as a password: an account of a directory, a lookup that fails, a field in a form
 *   that is not known here, and the hash of a locked account;
 * - no hash is written to the log, and none is kept.
 */
#define _GNU_SOURCE

#include "account.h"

#include <nss.h>
#include <pwd.h>
#include <shadow.h>
#include <stdbool.h>
#include <string.h>

/* useradd, systemd-sysusers and cloud-init write these; an empty field is an account without a password. */
static bool matches_nothing(const char *field) {
    return field[strspn(field, "!*")] == '\0';
}

static bool is_shadowed(const char *field) {
    return strcmp(field, "x") == 0 || strcmp(field, "*NP*") == 0 || strncmp(field, "##", 2) == 0;
}

static bool field_matches_nothing(const char *user, const struct passwd *entry) {
    const struct spwd *shadow;

    if (!is_shadowed(entry->pw_passwd))
        return matches_nothing(entry->pw_passwd);
    shadow = getspnam(user);
    return shadow != NULL && shadow->sp_pwdp != NULL && matches_nothing(shadow->sp_pwdp);
}

/* In another database a directory may hold the password, and shows "*" in its place. Last: it stays so. */
static bool is_local(const char *user, uid_t uid) {
    const struct passwd *entry;

    if (__nss_configure_lookup("passwd", "files") != 0)
        return false;
    entry = getpwnam(user);
    return entry != NULL && entry->pw_uid == uid;
}

enum verdict look_for_password(const char *user) {
    const struct passwd *entry = getpwnam(user);
    uid_t uid;

    if (entry == NULL || entry->pw_passwd == NULL || strcmp(entry->pw_name, user) != 0)
        return VERDICT_SET;
    uid = entry->pw_uid;
    return field_matches_nothing(user, entry) && is_local(user, uid) ? VERDICT_NONE : VERDICT_SET;
}
