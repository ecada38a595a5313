/* What the line in pam.d says behind pam_sallyport.so. docs/reference/protocol.md, "Sockets" and "Deadlines". */
#ifndef SALLYPORT_OPTIONS_H
#define SALLYPORT_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include <security/pam_modules.h>

#include "protocol.h"

struct options {
    /* Of the root socket, or of the user socket beside it, as the effective uid asks for. */
    char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
    bool root;
    bool has_server_uid;
    uid_t server_uid;
    int timeout_ms;
    bool first_factor_passed;
    enum login_mode mode;
    bool no_terminal;
    bool debug;
};

/* False: an option is unknown, malformed or given twice; the log says which. `options` is then unusable. */
bool options_parse(pam_handle_t *pamh, int argc, const char **argv, uid_t euid, struct options *options);

#endif
