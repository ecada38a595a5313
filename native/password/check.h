/* The one thing that PAM is asked. */
#ifndef SALLYPORT_PASSWORD_CHECK_H
#define SALLYPORT_PASSWORD_CHECK_H

#include "protocol.h"
#include "request.h"

/*
 * Whether this is the account's password, and the account may log in.
 * confdir: where the service file lies, instead of the system's places; NULL on an installed system.
 */
enum verdict check_password(const struct request *request, const char *confdir);

#endif
