#include <napi.h>

#include <climits>
#include <memory>

#include "arguments.h"
#include "local_accounts.h"
#include "lookups.h"
#include "system.h"

namespace sallyport {

namespace {

/** What one environment (the process, or a worker) holds. */
struct Instance {
  std::shared_ptr<Lookups> lookups;
};

constexpr uint32_t kMostThreads = 256;
/** A day: longer waits are mistakes. */
constexpr uint32_t kLongestWait = 86'400'000;
/** (uid_t) -1 means "none" to the kernel. */
constexpr uint32_t kHighestUid = UINT32_MAX - 1;

uint32_t positive(const Napi::Value& value, const char* name, uint32_t highest) {
  const uint32_t number = numberOf(value, name, highest);
  if (number == 0) throwArgument(value.Env(), std::string(name) + " must not be 0");
  return number;
}

/** startLookups({threads, queue}), once. */
void startLookups(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto* const instance = env.GetInstanceData<Instance>();
  if (!info[0].IsObject()) throwArgument(env, "startLookups takes {threads, queue}");
  const Napi::Object options = info[0].As<Napi::Object>();
  const uint32_t threads = positive(options.Get("threads"), "threads", kMostThreads);
  const uint32_t queue = positive(options.Get("queue"), "queue", INT_MAX);
  if (instance->lookups) throwCode(env, "already-started", "startLookups was called before");
  instance->lookups = Lookups::start(env, threads, queue);
  // Registered after the channel, so it runs before the channel is gone.
  env.AddCleanupHook([](Lookups* lookups) { lookups->close(); }, instance->lookups.get());
}

/** {name} | {uid} */
AccountQuery queryOf(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  if (!value.IsObject()) throwArgument(env, "an account is looked up by {name} or {uid}");
  const Napi::Object key = value.As<Napi::Object>();
  const Napi::Value name = key.Get("name");
  const Napi::Value uid = key.Get("uid");
  if (name.IsUndefined() == uid.IsUndefined()) throwArgument(env, "an account is looked up by either {name} or {uid}");
  AccountQuery query;
  if (uid.IsUndefined()) {
    query.name = textOf(name, "name");
  } else {
    query.uid = numberOf(uid, "uid", kHighestUid);
  }
  return query;
}

/** lookupAccount({name} | {uid}, groups, waitMs) -> Promise; keeps no process alive. */
Napi::Value lookupAccount(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto* const instance = env.GetInstanceData<Instance>();
  AccountQuery query = queryOf(info[0]);
  query.groups = textsOf(info[1], "groups");
  const std::chrono::milliseconds wait(numberOf(info[2], "waitMs", kLongestWait));
  if (!instance->lookups) throwCode(env, "not-started", "startLookups was not called yet");
  return instance->lookups->ask(env, std::move(query), wait);
}

/** localAccount({name} | {uid}) -> the account, or undefined */
Napi::Value findLocalAccount(const Napi::CallbackInfo& info) {
  const std::optional<AccountAnswer> answer = localAccount(queryOf(info[0]));
  return answer ? objectOf(info.Env(), *answer, {}) : info.Env().Undefined();
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Instance());
  exports.Set("startLookups", Napi::Function::New(env, startLookups, "startLookups"));
  exports.Set("lookupAccount", Napi::Function::New(env, lookupAccount, "lookupAccount"));
  exports.Set("localAccount", Napi::Function::New(env, findLocalAccount, "localAccount"));
  addSystem(env, exports);
  addLocks(env, exports);
  addConnections(env, exports);
  addSealing(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(sallyport_addon, initialize)

}  // namespace sallyport
