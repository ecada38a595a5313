#include "arguments.h"

#include <climits>
#include <cmath>
#include <cstring>

namespace sallyport {

void throwCode(Napi::Env env, const std::string& code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  throw error;
}

void throwErrno(Napi::Env env, int error, const std::string& what) {
  const char* name = strerrorname_np(error);
  throwCode(env, name == nullptr ? "errno-" + std::to_string(error) : name, what + ": " + std::strerror(error));
}

void throwArgument(Napi::Env env, const std::string& message) {
  Napi::TypeError error = Napi::TypeError::New(env, message);
  error.Set("code", Napi::String::New(env, "ERR_INVALID_ARG_TYPE"));
  throw error;
}

uint32_t numberOf(const Napi::Value& value, const char* name, uint32_t highest) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= highest) || number != std::floor(number)) {
    throwArgument(value.Env(), std::string(name) + " must be a whole number from 0 to " + std::to_string(highest));
  }
  return static_cast<uint32_t>(number);
}

std::string textOf(const Napi::Value& value, const char* name) {
  if (!value.IsString()) throwArgument(value.Env(), std::string(name) + " must be a string");
  std::string text = value.As<Napi::String>().Utf8Value();
  if (text.find('\0') != std::string::npos) {
    throwArgument(value.Env(), std::string(name) + " must not hold a NUL byte");
  }
  return text;
}

std::vector<std::string> textsOf(const Napi::Value& value, const char* name) {
  if (!value.IsArray()) throwArgument(value.Env(), std::string(name) + " must be an array of strings");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<std::string> texts;
  for (uint32_t index = 0; index < array.Length(); index++) {
    texts.push_back(textOf(array.Get(index), name));
  }
  return texts;
}

int descriptorOf(const Napi::Value& value) {
  return static_cast<int>(numberOf(value, "the file descriptor", INT_MAX));
}

}  // namespace sallyport
