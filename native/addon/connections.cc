#include "connections.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "arguments.h"
#include "system.h"

namespace sallyport {

namespace {

/** In one iteration of the event loop: other work waits too, and what is left keeps the descriptors ready. */
constexpr int kAtATime = 64;

int flagOf(const Napi::Env& env, int descriptor, int option, const char* name) {
  int value = 0;
  socklen_t size = sizeof value;
  if (getsockopt(descriptor, SOL_SOCKET, option, &value, &size) != 0) throwErrno(env, errno, name);
  return value;
}

/** @return 0, or why the peer is not known */
int peerOf(int descriptor, uid_t& uid) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return errno;
  uid = peer.uid;
  return uid == static_cast<uid_t>(-1) ? ENOTCONN : 0;
}

struct Bytes {
  void* data = nullptr;
  size_t length = 0;
};

Bytes bytesOf(const Napi::Value& value) {
  Bytes bytes;
  if (!value.IsBuffer() || napi_get_buffer_info(value.Env(), value, &bytes.data, &bytes.length) != napi_ok) {
    throwArgument(value.Env(), "the second argument must be a Buffer");
  }
  return bytes;
}

/** How many bytes went through, or the negative errno. */
Napi::Value outcomeOf(const Napi::Env& env, ssize_t count) {
  return Napi::Number::New(env, static_cast<double>(count >= 0 ? count : -errno));
}

}  // namespace

/** new Connections(fd, (event, descriptor, value) => void); it closes fd, in stop(). */
Connections::Connections(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  const int descriptor = descriptorOf(info[0]);
  if (!info[1].IsFunction()) throwArgument(env, "the second argument must be a function");
  if (flagOf(env, descriptor, SO_ACCEPTCONN, "getsockopt SO_ACCEPTCONN") == 0) {
    throwCode(env, "not-listening", "the socket does not listen");
  }
  // On a TCP socket every peer would be uid 4294967295.
  if (flagOf(env, descriptor, SO_DOMAIN, "getsockopt SO_DOMAIN") != AF_UNIX) {
    throwCode(env, "not-unix", "the peers of a socket that is no Unix socket are unknown");
  }
  const int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0) throwErrno(env, errno, "fcntl O_NONBLOCK");
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (epoll_.get() < 0 || !watch(EPOLL_CTL_ADD, descriptor, EPOLLIN)) {
    throwErrno(env, errno, "watching a listening socket");
  }
  happened_ = Napi::Persistent(info[1].As<Napi::Function>());
  Ref();
  start(env);
  listening_.reset(descriptor);
}

bool Connections::watch(int operation, int descriptor, uint32_t events) {
  epoll_event wanted{};
  wanted.events = events;
  wanted.data.fd = descriptor;
  return epoll_ctl(epoll_.get(), operation, descriptor, &wanted) == 0;
}

void Connections::start(const Napi::Env& env) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) throw Napi::Error::New(env);
  auto watching = std::make_unique<Watch>();
  const int failure = uv_poll_init(loop, &watching->poll, epoll_.get());
  if (failure != 0) throwErrno(env, -failure, "watching a listening socket");
  // From here on nothing throws: the handle belongs to the loop.
  watch_ = watching.release();
  watch_->owner = this;
  watch_->poll.data = watch_;
  // A worker must not end before the loop has let go of the handle.
  const auto ending = [](napi_async_cleanup_hook_handle, void* data) {
    auto* const ended = static_cast<Watch*>(data);
    if (ended->owner != nullptr) ended->owner->letGo();
  };
  napi_add_async_cleanup_hook(env, ending, watch_, &watch_->hook);
  uv_poll_start(&watch_->poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
    Connections* const owner = static_cast<Watch*>(poll->data)->owner;
    try {
      if (owner != nullptr) owner->turn();
    } catch (const std::exception&) {
      // Out of memory: what is ready stays ready.
    }
  });
}

/** Nothing calls JavaScript any more. The handle is freed in a later iteration of the loop. */
void Connections::letGo() {
  if (watch_ == nullptr) return;
  watch_->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&watch_->poll), [](uv_handle_t* handle) {
    const std::unique_ptr<Watch> done(static_cast<Watch*>(handle->data));
    napi_remove_async_cleanup_hook(done->hook);
  });
  watch_ = nullptr;
  for (const int connection : open_) ::close(connection);
  open_.clear();
  listening_.reset();
  epoll_.reset();
}

/** As long as there is a connection the process lives by it. */
void Connections::endIfIdle() {
  if (watch_ == nullptr || listening_.get() >= 0 || !open_.empty()) return;
  letGo();
  Unref();
}

void Connections::turn() {
  const Napi::HandleScope scope(Env());
  // Held here, it is not collected below, whatever JavaScript lets go of.
  [[maybe_unused]] const Napi::Object self = Value();
  epoll_event events[kAtATime];
  const int count = epoll_wait(epoll_.get(), events, kAtATime, 0);
  for (int index = 0; index < count && watch_ != nullptr; index++) {
    const int descriptor = events[index].data.fd;
    const uint32_t seen = events[index].events;
    const uint32_t both = (seen & (EPOLLHUP | EPOLLERR)) != 0 ? kReadable | kWritable : 0;
    const uint32_t ready = both | ((seen & EPOLLIN) != 0 ? kReadable : 0) | ((seen & EPOLLOUT) != 0 ? kWritable : 0);
    if (descriptor == listening_.get()) {
      take();
    } else if (open_.count(descriptor) != 0) {
      tell(Event::ready, descriptor, ready);
    }
  }
}

void Connections::take() {
  for (int count = 0; count < kAtATime && listening_.get() >= 0; count++) {
    const int connection = accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection >= 0) {
      admit(Descriptor(connection));
    } else if (errno != EINTR && errno != ECONNABORTED) {
      const int error = errno;
      if (error == EAGAIN || error == EWOULDBLOCK) return;
      // It stays readable: without a pause the loop would do nothing else.
      watch(EPOLL_CTL_MOD, listening_.get(), 0);
      tell(Event::failed, -1, static_cast<uint32_t>(error));
      return;
    }
  }
}

void Connections::admit(Descriptor connection) {
  uid_t uid = 0;
  int failure = peerOf(connection.get(), uid);
  if (failure == 0 && !watch(EPOLL_CTL_ADD, connection.get(), EPOLLIN)) failure = errno;
  if (failure != 0) {
    tell(Event::unidentified, -1, static_cast<uint32_t>(failure));
    return;
  }
  open_.insert(connection.get());
  tell(Event::accepted, connection.release(), uid);
}

void Connections::tell(Event event, int descriptor, uint32_t value) {
  const Napi::Env env = Env();
  const Napi::HandleScope scope(env);
  const napi_value arguments[] = {Napi::Number::New(env, static_cast<int>(event)),
                                  Napi::Number::New(env, descriptor), Napi::Number::New(env, value)};
  const napi_status status = napi_make_callback(env, nullptr, Value(), happened_.Value(), 3, arguments, nullptr);
  napi_value error = nullptr;
  if (status == napi_pending_exception && napi_get_and_clear_last_exception(env, &error) == napi_ok) {
    napi_fatal_exception(env, error);
  }
}

int Connections::own(const Napi::Value& value) const {
  const int descriptor = descriptorOf(value);
  if (open_.count(descriptor) == 0) throwCode(value.Env(), "not-open", "no such connection is open");
  return descriptor;
}

/** read(descriptor, buffer) -> bytes read, 0 at the end, or the negative errno */
Napi::Value Connections::read(const Napi::CallbackInfo& info) {
  const int descriptor = own(info[0]);
  const Bytes into = bytesOf(info[1]);
  return outcomeOf(info.Env(), recv(descriptor, into.data, into.length, MSG_DONTWAIT));
}

/** write(descriptor, buffer) -> bytes that were taken, or the negative errno */
Napi::Value Connections::write(const Napi::CallbackInfo& info) {
  const int descriptor = own(info[0]);
  const Bytes from = bytesOf(info[1]);
  return outcomeOf(info.Env(), send(descriptor, from.data, from.length, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/** await(descriptor, readable | writable): what it is reported for; an end of both directions always is. */
void Connections::await(const Napi::CallbackInfo& info) {
  const int descriptor = own(info[0]);
  const uint32_t wanted = numberOf(info[1], "what is awaited", kReadable | kWritable);
  const uint32_t events =
      ((wanted & kReadable) != 0 ? EPOLLIN : 0U) | ((wanted & kWritable) != 0 ? EPOLLOUT : 0U);
  if (!watch(EPOLL_CTL_MOD, descriptor, events)) throwErrno(info.Env(), errno, "epoll_ctl");
}

void Connections::endWriting(const Napi::CallbackInfo& info) { shutdown(own(info[0]), SHUT_WR); }

void Connections::closeOne(const Napi::CallbackInfo& info) {
  const int descriptor = own(info[0]);
  open_.erase(descriptor);
  ::close(descriptor);
  endIfIdle();
}

void Connections::resume(const Napi::CallbackInfo&) {
  if (listening_.get() >= 0) watch(EPOLL_CTL_MOD, listening_.get(), EPOLLIN);
}

/** Closes the listening descriptor; open connections stay. */
void Connections::stop(const Napi::CallbackInfo&) {
  // The service manager holds it too, so closing it would leave it in the set.
  if (listening_.get() >= 0) watch(EPOLL_CTL_DEL, listening_.get(), 0);
  listening_.reset();
  endIfIdle();
}

Napi::Function Connections::define(Napi::Env env) {
  return DefineClass(env, "Connections",
                     {InstanceMethod("read", &Connections::read), InstanceMethod("write", &Connections::write),
                      InstanceMethod("await", &Connections::await),
                      InstanceMethod("endWriting", &Connections::endWriting),
                      InstanceMethod("close", &Connections::closeOne),
                      InstanceMethod("resume", &Connections::resume), InstanceMethod("stop", &Connections::stop)});
}

void addConnections(Napi::Env env, Napi::Object exports) {
  exports.Set("Connections", Connections::define(env));
}

}  // namespace sallyport
