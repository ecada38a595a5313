#include "system.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "arguments.h"
#include "descriptor.h"

namespace sallyport {

namespace {

template <typename Value>
Value socketOption(Napi::Env env, int descriptor, int option, const char* name) {
  Value value{};
  socklen_t size = sizeof value;
  if (getsockopt(descriptor, SOL_SOCKET, option, &value, &size) != 0) {
    throwErrno(env, errno, std::string("getsockopt ") + name);
  }
  return value;
}

/**
 * peerCredentials(fd) -> {pid, uid, gid}
 *
 * Invariant: only a connected Unix socket has a peer that the kernel vouches for. On a TCP socket the
 * call succeeds too, with pid 0 and uid 4294967295.
 */
Napi::Value peerCredentials(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int descriptor = descriptorOf(info[0]);
  if (socketOption<int>(env, descriptor, SO_DOMAIN, "SO_DOMAIN") != AF_UNIX) {
    throwCode(env, "not-unix", "the peer of a socket that is no Unix socket is unknown");
  }
  if (socketOption<int>(env, descriptor, SO_ACCEPTCONN, "SO_ACCEPTCONN") != 0) {
    throwCode(env, "not-connected", "a listening socket has no peer");
  }
  const auto peer = socketOption<ucred>(env, descriptor, SO_PEERCRED, "SO_PEERCRED");
  if (peer.uid == static_cast<uid_t>(-1)) {
    throwCode(env, "not-connected", "the socket is not connected, so it has no peer");
  }
  Napi::Object credentials = Napi::Object::New(env);
  credentials.Set("pid", peer.pid);
  credentials.Set("uid", peer.uid);
  credentials.Set("gid", peer.gid);
  return credentials;
}

/** notify(message) -> whether there is a service manager to notify: sd_notify(3), for paths and abstract names. */
Napi::Value notify(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string message = textOf(info[0], "the message");
  const char* const name = std::getenv("NOTIFY_SOCKET");
  if (name == nullptr || name[0] == '\0') return Napi::Boolean::New(env, false);

  sockaddr_un address{};
  const size_t length = std::strlen(name);
  if ((name[0] != '/' && name[0] != '@') || length >= sizeof address.sun_path) {
    throwCode(env, "EINVAL", "NOTIFY_SOCKET is neither a path nor an abstract name of a Unix socket");
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name, length);
  if (name[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + (name[0] == '/' ? 1 : 0));

  const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) throwErrno(env, errno, "a socket for NOTIFY_SOCKET");
  // Without waiting: a service manager that does not read must not stop the event loop.
  const ssize_t sent = sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                              reinterpret_cast<const sockaddr*>(&address), size);
  const int error = errno;
  close(descriptor);
  if (sent < 0) throwErrno(env, error, "sending to NOTIFY_SOCKET");
  return Napi::Boolean::New(env, true);
}

/** listenAt(path, backlog) -> the descriptor of a Unix socket that listens there */
Napi::Value listenAt(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = textOf(info[0], "the path");
  const auto backlog = static_cast<int>(numberOf(info[1], "the backlog", INT32_MAX));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) throwErrno(env, ENAMETOOLONG, "the path of a socket");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  Descriptor listening(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (listening.get() < 0) throwErrno(env, errno, "socket");
  if (bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throwErrno(env, errno, "bind " + path);
  }
  if (listen(listening.get(), backlog) != 0) throwErrno(env, errno, "listen on " + path);
  return Napi::Number::New(env, listening.release());
}

/** setDumpable(flag): without it no core file and no ptrace by the same uid shows the keys in memory. */
void setDumpable(const Napi::CallbackInfo& info) {
  if (!info[0].IsBoolean()) throwArgument(info.Env(), "the flag must be true or false");
  const unsigned long flag = info[0].As<Napi::Boolean>().Value() ? 1 : 0;
  if (prctl(PR_SET_DUMPABLE, flag, 0UL, 0UL, 0UL) != 0) throwErrno(info.Env(), errno, "prctl PR_SET_DUMPABLE");
}

/**
 * becomeUser(uid, gid): gives root up in all threads, irrevocably. Node refuses its own setgroups() and setuid()
 * wherever its libuv could use io_uring (Debian 13), whether or not it does. The caller makes sure that there is no
 * such ring.
 */
void becomeUser(const Napi::CallbackInfo& info) {
  // (uid_t) -1 would mean "as it is".
  const uid_t uid = numberOf(info[0], "uid", UINT32_MAX - 1);
  const gid_t gid = numberOf(info[1], "gid", UINT32_MAX - 1);
  if (setgroups(1, &gid) != 0) throwErrno(info.Env(), errno, "setgroups");
  if (setresgid(gid, gid, gid) != 0) throwErrno(info.Env(), errno, "setresgid");
  if (setresuid(uid, uid, uid) != 0) throwErrno(info.Env(), errno, "setresuid");
}

/** closeOnExec(fd): for sockets that the service manager handed over. */
void closeOnExec(const Napi::CallbackInfo& info) {
  const int descriptor = descriptorOf(info[0]);
  const int flags = fcntl(descriptor, F_GETFD);
  if (flags < 0 || fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC) != 0) {
    throwErrno(info.Env(), errno, "fcntl FD_CLOEXEC");
  }
}

/** exchange(a, b): each takes the other's name, in one step; a reader finds one of the two. */
void exchange(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string a = textOf(info[0], "the first path");
  const std::string b = textOf(info[1], "the second path");
  if (renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) != 0) {
    throwErrno(env, errno, "exchanging " + a + " and " + b);
  }
}

}  // namespace

void addSystem(Napi::Env env, Napi::Object exports) {
  exports.Set("peerCredentials", Napi::Function::New(env, peerCredentials, "peerCredentials"));
  exports.Set("listenAt", Napi::Function::New(env, listenAt, "listenAt"));
  exports.Set("notify", Napi::Function::New(env, notify, "notify"));
  exports.Set("setDumpable", Napi::Function::New(env, setDumpable, "setDumpable"));
  exports.Set("becomeUser", Napi::Function::New(env, becomeUser, "becomeUser"));
  exports.Set("exchange", Napi::Function::New(env, exchange, "exchange"));
  exports.Set("closeOnExec", Napi::Function::New(env, closeOnExec, "closeOnExec"));
}

}  // namespace sallyport
