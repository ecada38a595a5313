#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "arguments.h"
#include "system.h"

namespace sallyport {

namespace {

/** flock(2), not fcntl(2): the latter's lock is lost when its own process opens and closes the file. */
struct FileLock {
  std::string path;
  int descriptor = -1;

  void release() {
    if (descriptor >= 0) close(descriptor);
    descriptor = -1;
  }

  /** The path still names the file that is locked: else a second process can lock its successor. */
  bool held() const {
    struct stat locked {};
    struct stat named {};
    if (descriptor < 0 || fstat(descriptor, &locked) != 0 || lstat(path.c_str(), &named) != 0) return false;
    return locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
  }
};

constexpr napi_type_tag kLockTag = {0x8f1d5c1c26b94e0bULL, 0xa6f3c9d2745e8f31ULL};

/** Opens and locks; only the caller may read the file. */
void take(Napi::Env env, FileLock& lock) {
  lock.descriptor = open(lock.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
  if (lock.descriptor < 0) throwErrno(env, errno, "opening the lock file " + lock.path);
  struct stat status {};
  if (fstat(lock.descriptor, &status) != 0) {
    const int error = errno;
    lock.release();
    throwErrno(env, error, "looking at the lock file " + lock.path);
  }
  if (!S_ISREG(status.st_mode)) {
    lock.release();
    throwCode(env, "not-a-file", "the lock file " + lock.path + " is not a regular file");
  }
  if (flock(lock.descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    lock.release();
    if (error == EWOULDBLOCK) throwCode(env, "locked", "another process holds the lock file " + lock.path);
    throwErrno(env, error, "locking " + lock.path);
  }
  if (!lock.held()) {
    lock.release();
    throwCode(env, "locked", "the lock file " + lock.path + " was replaced by another process just now");
  }
}

Napi::Value release(const Napi::CallbackInfo& info) {
  static_cast<FileLock*>(info.Data())->release();
  return info.Env().Undefined();
}

/** lockFile(path) -> a handle with release(). Without release() the lock lasts as long as the process. */
Napi::Value lockFile(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto lock = std::make_unique<FileLock>();
  lock->path = textOf(info[0], "the path");
  if (lock->path.empty() || lock->path[0] != '/') throwArgument(env, "the path must be absolute");
  take(env, *lock);

  // Never freed: a collected handle must not give up the lock, and a process holds few of them.
  FileLock* const kept = lock.release();
  Napi::Object handle = Napi::Object::New(env);
  handle.TypeTag(&kLockTag);
  if (napi_wrap(env, handle, kept, nullptr, nullptr, nullptr) != napi_ok) throw Napi::Error::New(env);
  handle.Set("release", Napi::Function::New(env, release, "release", kept));
  return handle;
}

/** lockIsHeld(handle) */
Napi::Value lockIsHeld(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject() || !info[0].As<Napi::Object>().CheckTypeTag(&kLockTag)) {
    throwArgument(env, "the handle must come from lockFile");
  }
  void* lock = nullptr;
  if (napi_unwrap(env, info[0], &lock) != napi_ok) throw Napi::Error::New(env);
  return Napi::Boolean::New(env, static_cast<FileLock*>(lock)->held());
}

}  // namespace

void addLocks(Napi::Env env, Napi::Object exports) {
  exports.Set("lockFile", Napi::Function::New(env, lockFile, "lockFile"));
  exports.Set("lockIsHeld", Napi::Function::New(env, lockIsHeld, "lockIsHeld"));
}

}  // namespace sallyport
