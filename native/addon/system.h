#pragma once

#include <napi.h>

namespace sallyport {

/** What Node has no call for. Each function checks its arguments and throws an Error with `code`. */
void addSystem(Napi::Env env, Napi::Object exports);
/** lockFile and lockIsHeld. */
void addLocks(Napi::Env env, Napi::Object exports);
/** Connections. */
void addConnections(Napi::Env env, Napi::Object exports);
/** sealingKey, sealWith, openWith and hmacSha256. */
void addSealing(Napi::Env env, Napi::Object exports);

}  // namespace sallyport
