/* The sealing part of the addon by itself, so that it can be compiled with sanitizers. */
#include "system.h"

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  sallyport::addSealing(env, exports);
  return exports;
}

NODE_API_MODULE(sealing_addon, initialize)
