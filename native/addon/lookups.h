#pragma once

#include <napi.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include "accounts.h"

namespace sallyport {

/** @param names the groups of the query */
Napi::Object objectOf(Napi::Env env, const AccountAnswer& answer, const std::vector<std::string>& names);

/**
 * Threads of our own that ask NSS, because a source that hangs would take libuv's four with it.
 *
 * Invariants:
 *  - a thread that is stuck in a source stops no other thread, and not the end of the process;
 *  - no thread touches JavaScript or the environment after it began to close;
 *  - idle or stuck threads keep no process alive.
 * So the threads are detached, share the ownership of this object, and the library is never unloaded
 * (-z nodelete).
 */
class Lookups : public std::enable_shared_from_this<Lookups> {
 public:
  static std::shared_ptr<Lookups> start(Napi::Env env, size_t threads, size_t queue);

  /** Resolves to the answer. One that would begin later than `wait` from now is never asked. */
  Napi::Value ask(Napi::Env env, AccountQuery query, std::chrono::milliseconds wait);

  /** From here on nothing reaches JavaScript. */
  void close();

 private:
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    AccountQuery asked;
    napi_deferred deferred;
    Clock::time_point since;
    Clock::time_point deadline;
  };
  struct Delivery {
    AccountAnswer answer;
    std::vector<std::string> groups;
    napi_deferred deferred;
  };
  static void deliver(Napi::Env env, Napi::Function unused, std::nullptr_t* context, Delivery* delivery);
  using Channel = Napi::TypedThreadSafeFunction<std::nullptr_t, Delivery, deliver>;

  Lookups(size_t threads, size_t queue) : most_(threads), room_(queue) {}
  void work();
  bool grow();
  void dropExpired(Napi::Env env);

  const size_t most_;
  const size_t room_;
  Channel channel_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> waiting_;
  size_t threads_ = 0;
  size_t idle_ = 0;
  /** A thread was woken, or is about to take a query; it wakes the next one. Never true while all sleep. */
  bool waking_ = false;
  bool closed_ = false;
};

}  // namespace sallyport
