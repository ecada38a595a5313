/*
 * pam_unix hashes what was typed only for an account that has a password, so that its time tells which names are
 * such accounts. Here the same is hashed in the same way for the other names.
 *
 * Invariants:
 * - what comes of it decides nothing, and is wiped;
 * - no password is compared, and no hash leaves this file.
 */
#define _GNU_SOURCE

#include "equal-work.h"

#include <dlfcn.h>
#include <pwd.h>
#include <shadow.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef char *hash_function(const char *password, const char *setting);

/* Of Debian and of Fedora; loaded by pam_unix. This program needs neither by itself. */
static const char *const libraries[] = {"libcrypt.so.1", "libcrypt.so.2"};

static bool is_hash(const char *field) {
    return field != NULL && field[0] == '$';
}

/* pam_unix hashes nothing for a field that is locked, or no hash. */
static bool has_hash(const char *user) {
    const struct passwd *entry = getpwnam(user);
    const struct spwd *shadow;

    if (entry == NULL)
        return false;
    if (is_hash(entry->pw_passwd))
        return true;
    shadow = getspnam(user);
    return shadow != NULL && is_hash(shadow->sp_pwdp);
}

/* The method and cost of the first password of this machine, mostly root's; NULL if no account has one. */
static const char *usual_setting(void) {
    const struct spwd *entry;
    const char *found = NULL;

    setspent();
    while (found == NULL && (entry = getspent()) != NULL) {
        if (is_hash(entry->sp_pwdp))
            found = entry->sp_pwdp;
    }
    return found;
}

static void *loaded_library(void) {
    void *library = NULL;

    for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]) && library == NULL; i++)
        library = dlopen(libraries[i], RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
    return library;
}

void work_as_for_a_password(const char *user, const char *password) {
    void *library;
    void *symbol;
    const char *setting;

    if (has_hash(user))
        return;
    setting = usual_setting();
    library = loaded_library();
    symbol = library == NULL ? NULL : dlsym(library, "crypt");
    if (setting != NULL && symbol != NULL) {
        hash_function *hash;
        char *result;

        /* ISO C has no cast from an object to a function. */
        memcpy(&hash, &symbol, sizeof(hash));
        result = hash(password, setting);
        if (result != NULL)
            explicit_bzero(result, strlen(result));
    }
    endspent();
    if (library != NULL)
        (void)dlclose(library);
}
