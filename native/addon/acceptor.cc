#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <memory>

#include "arguments.h"
#include "system.h"

namespace sallyport {

namespace {

/** In one iteration of the event loop: other work waits too, and what is left keeps the descriptor readable. */
constexpr int kAtATime = 64;

/**
 * Accepts connections on a socket that another process has made listen.
 *
 * Invariants:
 * - listen(2) is not called, as Node would: the kernel then names us to clients as the server, and not the process
 *   that made the socket, and the PAM module trusts only root there;
 * - a connection that cannot be taken for want of descriptors stays in the queue: one that is closed without a
 *   response looks like no daemon.
 */
class Acceptor {
 public:
  Acceptor(Napi::Env env, int descriptor, const Napi::Function& taken)
      : env_(env), descriptor_(descriptor), taken_(Napi::Persistent(taken)), context_(env, "sallyport.acceptor") {}

  void start() {
    uv_loop_t* loop = nullptr;
    if (napi_get_uv_event_loop(env_, &loop) != napi_ok) throw Napi::Error::New(env_);
    const int failure = uv_poll_init(loop, &poll_, descriptor_);
    if (failure != 0) throwErrno(env_, -failure, "watching a listening socket");
    poll_.data = this;
    is_open_ = true;
    resume();
  }

  void resume() {
    if (is_open_) uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* poll, int, int) {
      static_cast<Acceptor*>(poll->data)->take();
    });
  }

  /** Frees it in a later iteration of the loop. */
  void close() {
    if (!is_open_) return;
    is_open_ = false;
    uv_poll_stop(&poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(&poll_), [](uv_handle_t* handle) {
      std::unique_ptr<Acceptor> done(static_cast<Acceptor*>(handle->data));
      Napi::HandleScope scope(done->env_);
      done.reset();
    });
    ::close(descriptor_);
  }

 private:
  void take() {
    for (int count = 0; count < kAtATime && is_open_; count++) {
      const int connection = accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (connection >= 0) {
        tell(connection, 0);
      } else if (errno == EINTR || errno == ECONNABORTED) {
        continue;
      } else {
        const int error = errno;
        if (error == EAGAIN || error == EWOULDBLOCK) return;
        // It stays readable: without a pause the loop would do nothing else.
        uv_poll_stop(&poll_);
        tell(-1, error);
        return;
      }
    }
  }

  void tell(int connection, int error) {
    Napi::HandleScope scope(env_);
    try {
      taken_.MakeCallback(env_.Global(), {Napi::Number::New(env_, connection), Napi::Number::New(env_, error)},
                          context_);
    } catch (const Napi::Error& thrown) {
      napi_fatal_exception(env_, thrown.Value());
    }
  }

  Napi::Env env_;
  int descriptor_;
  Napi::FunctionReference taken_;
  Napi::AsyncContext context_;
  uv_poll_t poll_{};
  bool is_open_ = false;
};

/** The handle outlives the descriptor that it holds. */
struct Held {
  Acceptor* acceptor;
};

/**
 * acceptFrom(fd, (connection, errno) => void) -> {resume(), close()}
 *
 * With an errno nothing more is taken before resume(). close() closes the listening descriptor, once.
 */
Napi::Value acceptFrom(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int descriptor = descriptorOf(info[0]);
  if (!info[1].IsFunction()) throwArgument(env, "the second argument must be a function");
  int listens = 0;
  socklen_t size = sizeof listens;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0) {
    throwErrno(env, errno, "getsockopt SO_ACCEPTCONN");
  }
  if (listens == 0) throwCode(env, "not-listening", "the socket does not listen");

  auto acceptor = std::make_unique<Acceptor>(env, descriptor, info[1].As<Napi::Function>());
  acceptor->start();
  // Freed only by close(), in a later iteration; a process holds few of them.
  auto* const held = new Held{acceptor.release()};
  Napi::Object handle = Napi::Object::New(env);
  const auto resume = [](const Napi::CallbackInfo& call) {
    auto* const own = static_cast<Held*>(call.Data());
    if (own->acceptor != nullptr) own->acceptor->resume();
  };
  const auto close = [](const Napi::CallbackInfo& call) {
    auto* const own = static_cast<Held*>(call.Data());
    if (own->acceptor != nullptr) own->acceptor->close();
    own->acceptor = nullptr;
  };
  handle.Set("resume", Napi::Function::New(env, resume, "resume", held));
  handle.Set("close", Napi::Function::New(env, close, "close", held));
  return handle;
}

}  // namespace

void addAcceptor(Napi::Env env, Napi::Object exports) {
  exports.Set("acceptFrom", Napi::Function::New(env, acceptFrom, "acceptFrom"));
}

}  // namespace sallyport
