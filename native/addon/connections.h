#pragma once

#include <napi.h>
#include <uv.h>

#include <cstdint>
#include <unordered_set>

#include "descriptor.h"

namespace sallyport {

/** What JavaScript hears of; daemon/host/addon.ts has the same numbers. */
enum class Event { accepted = 0, ready = 1, failed = 2, unidentified = 3 };
constexpr uint32_t kReadable = 1;
constexpr uint32_t kWritable = 2;

class Connections;

/** The handle in the event loop. It outlives its owner until the loop has let it go. */
struct Watch {
  uv_poll_t poll{};
  Connections* owner = nullptr;
  napi_async_cleanup_hook_handle hook = nullptr;
};

/**
 * A listening Unix socket and the connections from it, in one epoll set, so that the event loop holds one handle for
 * all of them.
 *
 * Invariants:
 * - listen(2) is not called on what is passed in: the kernel would then name us to clients as the server, and not the
 *   process that made the socket, and the PAM module trusts only root there;
 * - a connection that cannot be taken for want of descriptors stays in the queue: one that is closed without a
 *   response looks like no daemon;
 * - the peer is read before a byte is; one that is not identified is dropped;
 * - no byte of a connection is kept here;
 * - JavaScript can name only descriptors that were accepted here and are open.
 */
class Connections : public Napi::ObjectWrap<Connections> {
 public:
  explicit Connections(const Napi::CallbackInfo& info);
  ~Connections() override { letGo(); }
  static Napi::Function define(Napi::Env env);

 private:
  void start(const Napi::Env& env);
  void turn();
  void take();
  void admit(Descriptor connection);
  void tell(Event event, int descriptor, uint32_t value);
  void letGo();
  void endIfIdle();
  bool watch(int operation, int descriptor, uint32_t events);
  int own(const Napi::Value& value) const;

  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  void await(const Napi::CallbackInfo& info);
  void endWriting(const Napi::CallbackInfo& info) ;
  void closeOne(const Napi::CallbackInfo& info);
  void resume(const Napi::CallbackInfo&);
  void stop(const Napi::CallbackInfo&);

  Napi::FunctionReference happened_;
  Descriptor epoll_;
  Descriptor listening_;
  std::unordered_set<int> open_;
  Watch* watch_ = nullptr;
};

}  // namespace sallyport
