#pragma once

#include <napi.h>

#include <string>
#include <vector>

namespace sallyport {

/** An Error whose `code` is the name of the errno value ("EACCES"), or the given one. */
[[noreturn]] void throwCode(Napi::Env env, const std::string& code, const std::string& message);
[[noreturn]] void throwErrno(Napi::Env env, int error, const std::string& what);

/** A TypeError with code ERR_INVALID_ARG_TYPE: the caller passed what the function does not take. */
[[noreturn]] void throwArgument(Napi::Env env, const std::string& message);

/** A whole number from 0 to `highest`. */
uint32_t numberOf(const Napi::Value& value, const char* name, uint32_t highest);

/** UTF-8 without a NUL byte: the system would read only the part before it. */
std::string textOf(const Napi::Value& value, const char* name);

std::vector<std::string> textsOf(const Napi::Value& value, const char* name);

int descriptorOf(const Napi::Value& value);

}  // namespace sallyport
