/* Whether an account of this machine has a password at all. */
#ifndef SALLYPORT_PASSWORD_ACCOUNT_H
#define SALLYPORT_PASSWORD_ACCOUNT_H

#include "protocol.h"

/* VERDICT_NONE where it is certain that no password fits, else VERDICT_SET. */
enum verdict look_for_password(const char *user);

#endif
