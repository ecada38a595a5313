/* The process that sends the request, and whether it may. */
#ifndef SALLYPORT_PASSWORD_PEER_H
#define SALLYPORT_PASSWORD_PEER_H

#include <stdbool.h>

/* Logs why not. */
bool peer_may_ask(int fd, bool has_confdir);

#endif
