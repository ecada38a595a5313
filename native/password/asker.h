/* Who asks, and whether it may. */
#ifndef SALLYPORT_PASSWORD_ASKER_H
#define SALLYPORT_PASSWORD_ASKER_H

#include <stdbool.h>

/* Says why not in the system's log. */
bool asker_may(int fd, bool has_confdir);

#endif
