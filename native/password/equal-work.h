/* The work of a password check where PAM has none: for a name that is not an account, or has no password. */
#ifndef SALLYPORT_PASSWORD_EQUAL_WORK_H
#define SALLYPORT_PASSWORD_EQUAL_WORK_H

/* Between pam_authenticate and pam_end: what pam_unix hashes with is loaded then. */
void work_as_for_a_password(const char *user, const char *password);

#endif
