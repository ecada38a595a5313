#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <climits>
#include <memory>

#include "arguments.h"
#include "system.h"

/** AES-256-GCM and HMAC-SHA256 by Node's own OpenSSL; docs: daemon/sealing/seal.ts. */
namespace sallyport {

namespace {

constexpr size_t kKeyBytes = 32;
constexpr int kNonceBytes = 12;
constexpr int kTagBytes = 16;
constexpr size_t kLongestPurpose = UINT8_MAX;

using Bytes = Napi::Buffer<uint8_t>;

/** A key for one purpose. Its schedules lie in OpenSSL's memory only, which wipes them when it frees them. */
struct SealingKey {
  std::string purpose;
  EVP_CIPHER_CTX* sealing = EVP_CIPHER_CTX_new();
  EVP_CIPHER_CTX* opening = EVP_CIPHER_CTX_new();

  SealingKey() = default;
  SealingKey(const SealingKey&) = delete;
  SealingKey& operator=(const SealingKey&) = delete;
  ~SealingKey() {
    EVP_CIPHER_CTX_free(sealing);
    EVP_CIPHER_CTX_free(opening);
  }
};

constexpr napi_type_tag kKeyTag = {0x5b6a0f7e93d84c21ULL, 0x8c2de41f07a96b35ULL};

/** header | nonce | ciphertext | tag, as the caller laid it out. */
struct Envelope {
  uint8_t* header;
  size_t header_length;
  uint8_t* nonce;
  uint8_t* body;
  int body_length;
  uint8_t* tag;
};

Bytes bytesOf(const Napi::Value& value, const char* name) {
  if (!value.IsBuffer()) throwArgument(value.Env(), std::string(name) + " must be a Buffer");
  const Bytes bytes = value.As<Bytes>();
  if (bytes.Length() > INT_MAX) throwArgument(value.Env(), std::string(name) + " is too long");
  return bytes;
}

SealingKey& keyOf(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kKeyTag)) {
    throwArgument(value.Env(), "the key must come from sealingKey");
  }
  void* key = nullptr;
  if (napi_unwrap(value.Env(), value, &key) != napi_ok) throw Napi::Error::New(value.Env());
  return *static_cast<SealingKey*>(key);
}

Envelope envelopeOf(const Napi::Value& value, const Napi::Value& header, size_t body_length) {
  const Bytes bytes = bytesOf(value, "the envelope");
  const uint32_t length = numberOf(header, "the length of the header", UINT16_MAX);
  if (bytes.Length() != length + kNonceBytes + body_length + kTagBytes) {
    throwArgument(value.Env(), "the envelope does not have the length of its parts");
  }
  uint8_t* const start = bytes.Data();
  uint8_t* const body = start + length + kNonceBytes;
  return {start, length, start + length, body, static_cast<int>(body_length), body + body_length};
}

/** Nonce and associated data: u8, u32 lengths of purpose and key | purpose | key | header. */
bool begin(EVP_CIPHER_CTX* context, const std::string& purpose, const Bytes& key, const Envelope& envelope) {
  const size_t length = key.Length();
  const uint8_t lengths[] = {static_cast<uint8_t>(purpose.size()), static_cast<uint8_t>(length >> 24),
                             static_cast<uint8_t>(length >> 16), static_cast<uint8_t>(length >> 8),
                             static_cast<uint8_t>(length)};
  const auto* const name = reinterpret_cast<const uint8_t*>(purpose.data());
  int done = 0;
  return EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, envelope.nonce, -1) == 1 &&
         EVP_CipherUpdate(context, nullptr, &done, lengths, sizeof lengths) == 1 &&
         EVP_CipherUpdate(context, nullptr, &done, name, static_cast<int>(purpose.size())) == 1 &&
         EVP_CipherUpdate(context, nullptr, &done, key.Data(), static_cast<int>(length)) == 1 &&
         EVP_CipherUpdate(context, nullptr, &done, envelope.header, static_cast<int>(envelope.header_length)) == 1;
}

/** sealingKey(purpose, bytes) -> a handle; the caller wipes the bytes. */
Napi::Value sealingKey(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto key = std::make_unique<SealingKey>();
  key->purpose = textOf(info[0], "the purpose");
  const Bytes bytes = bytesOf(info[1], "the key");
  if (key->purpose.size() > kLongestPurpose || bytes.Length() != kKeyBytes) {
    throwArgument(env, "a key has 32 bytes, and a purpose at most 255");
  }
  const EVP_CIPHER* const cipher = EVP_aes_256_gcm();
  if (key->sealing == nullptr || key->opening == nullptr ||
      EVP_CipherInit_ex(key->sealing, cipher, nullptr, bytes.Data(), nullptr, 1) != 1 ||
      EVP_CipherInit_ex(key->opening, cipher, nullptr, bytes.Data(), nullptr, 0) != 1) {
    throwCode(env, "crypto", "OpenSSL takes no key for AES-256-GCM");
  }
  Napi::Object handle = Napi::Object::New(env);
  handle.TypeTag(&kKeyTag);
  const auto wipe = [](napi_env, void* data, void*) { delete static_cast<SealingKey*>(data); };
  if (napi_wrap(env, handle, key.get(), wipe, nullptr, nullptr) != napi_ok) throw Napi::Error::New(env);
  key.release();
  return handle;
}

/** sealWith(key, recordKey, envelope, headerLength, plaintext): header and nonce are there, the rest is written. */
void sealWith(const Napi::CallbackInfo& info) {
  const SealingKey& key = keyOf(info[0]);
  const Bytes plaintext = bytesOf(info[4], "the plaintext");
  const Envelope envelope = envelopeOf(info[2], info[3], plaintext.Length());
  EVP_CIPHER_CTX* const context = key.sealing;
  int done = 0;
  if (!begin(context, key.purpose, bytesOf(info[1], "the record's key"), envelope) ||
      EVP_CipherUpdate(context, envelope.body, &done, plaintext.Data(), envelope.body_length) != 1 ||
      EVP_CipherFinal_ex(context, envelope.tag, &done) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, envelope.tag) != 1) {
    throwCode(info.Env(), "crypto", "OpenSSL does not encrypt");
  }
}

/** openWith(key, recordKey, envelope, headerLength, plaintext) -> whether the tag is right; if not, nothing is left. */
Napi::Value openWith(const Napi::CallbackInfo& info) {
  const SealingKey& key = keyOf(info[0]);
  const Bytes plaintext = bytesOf(info[4], "the plaintext");
  const Envelope envelope = envelopeOf(info[2], info[3], plaintext.Length());
  EVP_CIPHER_CTX* const context = key.opening;
  int done = 0;
  const bool opened =
      begin(context, key.purpose, bytesOf(info[1], "the record's key"), envelope) &&
      EVP_CipherUpdate(context, plaintext.Data(), &done, envelope.body, envelope.body_length) == 1 &&
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, envelope.tag) == 1 &&
      EVP_CipherFinal_ex(context, envelope.tag, &done) == 1;
  if (!opened) OPENSSL_cleanse(plaintext.Data(), plaintext.Length());
  return Napi::Boolean::New(info.Env(), opened);
}

/** hmacSha256(key, data, out) */
void hmacSha256(const Napi::CallbackInfo& info) {
  const Bytes key = bytesOf(info[0], "the key");
  const Bytes data = bytesOf(info[1], "the data");
  const Bytes out = bytesOf(info[2], "the result");
  if (out.Length() != kKeyBytes) throwArgument(info.Env(), "the result has 32 bytes");
  if (HMAC(EVP_sha256(), key.Data(), static_cast<int>(key.Length()), data.Data(), data.Length(), out.Data(),
           nullptr) == nullptr) {
    throwCode(info.Env(), "crypto", "OpenSSL does not hash");
  }
}

}  // namespace

void addSealing(Napi::Env env, Napi::Object exports) {
  exports.Set("sealingKey", Napi::Function::New(env, sealingKey, "sealingKey"));
  exports.Set("sealWith", Napi::Function::New(env, sealWith, "sealWith"));
  exports.Set("openWith", Napi::Function::New(env, openWith, "openWith"));
  exports.Set("hmacSha256", Napi::Function::New(env, hmacSha256, "hmacSha256"));
}

}  // namespace sallyport
