/* Who asks, and whether it may. */
#ifndef SALLYPORT_PASSWORD_PEER_H
#define SALLYPORT_PASSWORD_PEER_H

#include <stdbool.h>

/* Says why not in the system's log. */
bool peer_may_ask(int fd, bool has_confdir);

#endif
