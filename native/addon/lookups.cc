#include "lookups.h"

#include <pthread.h>
#include <signal.h>

#include <exception>
#include <system_error>
#include <thread>

namespace sallyport {

namespace {

constexpr std::chrono::milliseconds kPatience{50};
constexpr std::chrono::milliseconds kTimerSlack{20};

AccountAnswer refused(const char* why) {
  AccountAnswer answer;
  answer.why = why;
  return answer;
}

AccountAnswer askSafely(const AccountQuery& query) {
  try {
    return askAccount(query);
  } catch (const std::exception&) {
    return refused("out of memory");
  }
}

const char* wordOf(Membership membership) {
  switch (membership) {
    case Membership::member:
      return "member";
    case Membership::notMember:
      return "not-member";
    case Membership::unresolved:
      return "unresolved";
  }
  return "unresolved";
}

}  // namespace

Napi::Object objectOf(Napi::Env env, const AccountAnswer& answer, const std::vector<std::string>& names) {
  Napi::Object object = Napi::Object::New(env);
  if (answer.status == AccountStatus::absent) {
    object.Set("status", "absent");
    return object;
  }
  if (answer.status == AccountStatus::unavailable) {
    object.Set("status", "unavailable");
    object.Set("why", answer.why);
    return object;
  }
  object.Set("status", "found");
  object.Set("name", answer.name);
  object.Set("uid", answer.uid);
  object.Set("gid", answer.gid);
  Napi::Array groups = Napi::Array::New(env, names.size());
  for (size_t index = 0; index < names.size(); index++) {
    Napi::Array pair = Napi::Array::New(env, 2);
    pair.Set(0U, names[index]);
    pair.Set(1U, wordOf(answer.groups[index]));
    groups.Set(static_cast<uint32_t>(index), pair);
  }
  object.Set("groups", groups);
  return object;
}

std::shared_ptr<Lookups> Lookups::start(Napi::Env env, size_t threads, size_t queue) {
  std::shared_ptr<Lookups> lookups(new Lookups(threads, queue));
  lookups->channel_ = Channel::New(env, "sallyport-nss", 0, 1);
  lookups->channel_.Unref(env);
  return lookups;
}

void Lookups::deliver(Napi::Env env, Napi::Function, std::nullptr_t*, Delivery* delivery) {
  const std::unique_ptr<Delivery> owned(delivery);
  // Without an environment the process is ending, and no caller waits for the answer.
  if (static_cast<napi_env>(env) == nullptr) return;
  try {
    napi_resolve_deferred(env, owned->deferred, objectOf(env, owned->answer, owned->groups));
  } catch (const Napi::Error&) {
    // A worker that is ending takes no more values, and nothing more can be thrown into it.
  }
}

Napi::Value Lookups::ask(Napi::Env env, AccountQuery query, std::chrono::milliseconds wait) {
  const Clock::time_point now = Clock::now();
  napi_deferred deferred = nullptr;
  napi_value promise = nullptr;
  if (napi_create_promise(env, &deferred, &promise) != napi_ok) throw Napi::Error::New(env);

  std::unique_lock<std::mutex> lock(mutex_);
  dropExpired(env);
  const char* refusal = nullptr;
  if (waiting_.size() >= room_) {
    refusal = "too many queries wait for NSS";
  } else if (idle_ <= waiting_.size() && threads_ < most_ && !grow() && threads_ == 0) {
    refusal = "no thread could be started";
  }
  if (refusal != nullptr) {
    napi_resolve_deferred(env, deferred, objectOf(env, refused(refusal), {}));
    return {env, promise};
  }
  waiting_.push_back({std::move(query), deferred, now, now + wait});
  // The C library has been seen to lose a wake-up: a request that waits for long triggers another one.
  const bool call = !waking_ || waiting_.front().since + kPatience < now;
  waking_ = true;
  // Woken with the lock held, the thread would only go to sleep again.
  lock.unlock();
  if (call) wake_.notify_one();
  return {env, promise};
}

/** The queue holds only requests that a caller still waits for. */
void Lookups::dropExpired(Napi::Env env) {
  // The caller's own timer may fire a little early, and from then on no caller waits.
  const Clock::time_point soon = Clock::now() + kTimerSlack;
  while (!waiting_.empty() && waiting_.front().deadline <= soon) {
    napi_resolve_deferred(env, waiting_.front().deferred, objectOf(env, refused("NSS is too slow"), {}));
    waiting_.pop_front();
  }
}

bool Lookups::grow() {
  // Signals are for the main thread: a source must not see its calls interrupted.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool grown = true;
  try {
    std::thread thread([self = shared_from_this()] { self->work(); });
    pthread_setname_np(thread.native_handle(), "sallyport-nss");
    thread.detach();
    threads_++;
  } catch (const std::system_error&) {
    grown = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return grown;
}

void Lookups::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!closed_) {
    waking_ = false;
    if (waiting_.empty()) {
      idle_++;
      wake_.wait(lock);
      idle_--;
      continue;
    }
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    // The event loop wakes one thread for all that comes at once; each wakes the next before it may hang.
    waking_ = !waiting_.empty() && idle_ > 0;
    const bool call = waking_;
    lock.unlock();
    if (call) wake_.notify_one();
    const bool late = next.deadline <= Clock::now();
    auto delivery = std::make_unique<Delivery>();
    delivery->answer = late ? refused("NSS is too slow") : askSafely(next.asked);
    delivery->groups = std::move(next.asked.groups);
    delivery->deferred = next.deferred;
    lock.lock();
    if (!closed_ && channel_.NonBlockingCall(delivery.get()) == napi_ok) delivery.release();
  }
}

void Lookups::close() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  waiting_.clear();
  wake_.notify_all();
}

}  // namespace sallyport
