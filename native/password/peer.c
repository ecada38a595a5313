#define _GNU_SOURCE

#include "peer.h"

#include <errno.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

/* The account that sallyportd runs as on an installed system. */
static const char daemon_account[] = "sallyport";

/* Length of the name of a pair of sockets; a connection has the name of its listener. */
enum { UNNAMED = offsetof(struct sockaddr_un, sun_path) };

static bool is_daemon(uid_t uid) {
    const struct passwd *entry = getpwnam(daemon_account);

    return entry != NULL && entry->pw_uid == uid;
}

/*
 * Our own uid may ask: it could run this program itself. For a connection the kernel names the process that
 * connected; for a pair, the one that made it.
 */
static bool trusted(const struct ucred *peer) {
    return peer->uid == 0 || peer->uid == geteuid() || is_daemon(peer->uid);
}

/*
 * Invariant: behind a socket that other processes could connect to, the stack is the system's. What comes in by a
 * listener has its name; the pair that a program starts us with has none.
 */
static bool is_connection(int fd) {
    struct sockaddr_un name = {.sun_family = AF_UNSPEC};
    socklen_t length = sizeof(name);

    return getsockname(fd, (struct sockaddr *)&name, &length) != 0 || length > UNNAMED;
}

static bool socket_may(int fd, bool has_confdir) {
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof(peer)) {
        syslog(LOG_ERR, "cannot read peer credentials: %s", strerror(errno));
        return false;
    }
    if (!trusted(&peer)) {
        syslog(LOG_ALERT, "uid %lu asked for the password of an account and is not %s: dropped",
               (unsigned long)peer.uid, daemon_account);
        return false;
    }
    if (has_confdir && is_connection(fd)) {
        syslog(LOG_ERR, "--confdir is not for a socket that others can connect to: dropped");
        return false;
    }
    return true;
}

/* A pipe has been made by the process that started us. */
bool peer_may_ask(int fd, bool has_confdir) {
    struct stat status;

    if (fstat(fd, &status) != 0)
        return false;
    if (S_ISSOCK(status.st_mode))
        return socket_may(fd, has_confdir);
    return S_ISFIFO(status.st_mode);
}
