/*
 * A PAM module that stands for the line that asked for the password: it sets PAM_AUTHTOK. IGNORE, so that
 * SUCCESS of the stack is the next module's own.
 */
#include <security/pam_modules.h>

PAM_EXTERN int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv) {
    (void)flags;
    return argc == 1 && pam_set_item(pamh, PAM_AUTHTOK, argv[0]) == PAM_SUCCESS ? PAM_IGNORE : PAM_SERVICE_ERR;
}

PAM_EXTERN int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv) {
    (void)pamh;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_SUCCESS;
}
