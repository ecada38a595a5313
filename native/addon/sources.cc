#include "sources.h"

#include <dlfcn.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>

namespace sallyport {

namespace {

constexpr const char* kSwitchFile = "/etc/nsswitch.conf";
/** An entry that does not fit is an error, not a reason to take all memory. */
constexpr size_t kLargestEntry = 1024 * 1024;

using NameFunction = nss_status(const char*, passwd*, char*, size_t, int*);
using UidFunction = nss_status(uid_t, passwd*, char*, size_t, int*);
using GroupFunction = nss_status(const char*, group*, char*, size_t, int*);
using InitgroupsFunction = nss_status(const char*, gid_t, long*, long*, gid_t**, long, int*);

/** The names on the line of `database`; nothing if there is no such line. */
std::optional<std::vector<std::string>> namesOf(const std::string& database, std::ifstream& file) {
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string word;
    if (!(words >> word) || word != database + ":") continue;
    std::vector<std::string> names;
    bool action = false;
    while (words >> word) {
      if (word.front() == '[') action = true;
      if (!action && word != "files") names.push_back(word);
      if (word.back() == ']') action = false;
    }
    return names;
  }
  return std::nullopt;
}

struct Sources {
  std::vector<std::string> names;
  std::string trouble;
};

Sources sourcesOf(const std::vector<std::string>& databases) {
  for (const std::string& database : databases) {
    errno = 0;
    std::ifstream file(kSwitchFile);
    if (!file) {
      // libc without the file asks only `files`.
      if (errno == ENOENT) return {};
      return {{}, std::string(kSwitchFile) + " cannot be read"};
    }
    const auto names = namesOf(database, file);
    if (file.bad()) return {{}, std::string(kSwitchFile) + " cannot be read"};
    if (names) return {*names, ""};
  }
  return {};
}

/** A source's library, loaded by libc already in most cases. It is never unloaded: libc may be inside it. */
class Library {
 public:
  explicit Library(const std::string& source) {
    handle_ = dlopen(("libnss_" + source + ".so.2").c_str(), RTLD_NOW | RTLD_NODELETE);
    if (handle_ != nullptr) return;
    // A source that is not installed has nothing to say; one that cannot be loaded now may have.
    const char* why = dlerror();
    missing_ = why != nullptr && std::strstr(why, std::strerror(ENOENT)) != nullptr;
  }
  ~Library() {
    if (handle_ != nullptr) dlclose(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool missing() const { return missing_; }
  bool loaded() const { return handle_ != nullptr; }
  template <typename Function>
  Function* function(const std::string& source, const char* suffix) const {
    return reinterpret_cast<Function*>(dlsym(handle_, ("_nss_" + source + suffix).c_str()));
  }

 private:
  void* handle_ = nullptr;
  bool missing_ = false;
};

struct Asked {
  nss_status status;
  int error;
};

/**
 * ESRCH is "no such entry", whatever the status: systemd's source says so where systemd does not run. No failed
 * connection, file or timeout leaves it; ENOENT, which a missing socket leaves, does not count.
 */
bool couldTell(const Asked& asked) {
  return asked.status == NSS_STATUS_SUCCESS || asked.status == NSS_STATUS_NOTFOUND || asked.error == ESRCH;
}

std::string failure(const std::string& source, const std::string& how) {
  return "the NSS source \"" + source + "\" " + how;
}

std::string failure(const std::string& source, int error) {
  return failure(source, std::string("failed: ") + (error == 0 ? "not available" : std::strerror(error)));
}

/** Calls `ask` for each source; it returns what is wrong, or an empty text. */
std::string eachSource(const std::vector<std::string>& databases,
                       const std::function<std::string(const std::string&, const Library&)>& ask) {
  const Sources sources = sourcesOf(databases);
  if (!sources.trouble.empty()) return sources.trouble;
  for (const std::string& source : sources.names) {
    const Library library(source);
    if (library.missing()) continue;
    if (!library.loaded()) return failure(source, "cannot be loaded");
    std::string trouble = ask(source, library);
    if (!trouble.empty()) return trouble;
  }
  return "";
}

/** One of the `_r` functions of a source, with a buffer that grows until the entry fits. */
template <typename Function, typename Key, typename Entry>
Asked askEntry(Function* lookup, Key key, Entry& entry, std::vector<char>& buffer) {
  for (buffer.resize(4096);; buffer.resize(buffer.size() * 4)) {
    int error = 0;
    const nss_status status = lookup(key, &entry, buffer.data(), buffer.size(), &error);
    const bool small = status == NSS_STATUS_TRYAGAIN && error == ERANGE;
    if (!small || buffer.size() > kLargestEntry) return {status, error};
  }
}

template <typename Function, typename Key>
std::string troubleWith(Key key, const char* suffix) {
  return eachSource({"passwd"}, [&](const std::string& source, const Library& library) -> std::string {
    auto* const lookup = library.function<Function>(source, suffix);
    if (lookup == nullptr) return "";
    passwd entry{};
    std::vector<char> buffer;
    const Asked asked = askEntry(lookup, key, entry, buffer);
    return couldTell(asked) ? "" : failure(source, asked.error);
  });
}

/** Of a source that knows the groups of an account. */
std::string addInitgroups(InitgroupsFunction* initgroups, const std::string& source, const std::string& account,
                          gid_t primary, std::vector<gid_t>& found) {
  long count = 0;
  long size = 64;
  auto* gids = static_cast<gid_t*>(std::calloc(static_cast<size_t>(size), sizeof(gid_t)));
  if (gids == nullptr) return failure(source, ENOMEM);
  int error = 0;
  const nss_status status = initgroups(account.c_str(), primary, &count, &size, &gids, -1, &error);
  if (status == NSS_STATUS_SUCCESS) found.insert(found.end(), gids, gids + count);
  std::free(gids);
  return couldTell({status, error}) ? "" : failure(source, error);
}

/** Of a source that knows only the members of a group. */
std::string addListed(GroupFunction* lookup, const std::string& source, const std::string& account,
                      const std::vector<std::string>& groups, std::vector<gid_t>& found) {
  for (const std::string& name : groups) {
    group entry{};
    std::vector<char> buffer;
    const Asked asked = askEntry(lookup, name.c_str(), entry, buffer);
    if (!couldTell(asked)) return failure(source, asked.error);
    if (asked.status == NSS_STATUS_SUCCESS && listsMember(entry.gr_mem, account)) found.push_back(entry.gr_gid);
  }
  return "";
}

}  // namespace

std::string troubleWithName(const std::string& name) {
  return troubleWith<NameFunction>(name.c_str(), "_getpwnam_r");
}

std::string troubleWithUid(uid_t uid) {
  return troubleWith<UidFunction>(uid, "_getpwuid_r");
}

SourceGroups sourceGroups(const std::string& account, gid_t primary, const std::vector<std::string>& groups) {
  SourceGroups found;
  // libc reads the line `initgroups` where there is one, and else `group`.
  found.trouble = eachSource({"initgroups", "group"}, [&](const std::string& source, const Library& library) {
    auto* const initgroups = library.function<InitgroupsFunction>(source, "_initgroups_dyn");
    if (initgroups != nullptr) return addInitgroups(initgroups, source, account, primary, found.gids);
    auto* const lookup = library.function<GroupFunction>(source, "_getgrnam_r");
    if (lookup != nullptr) return addListed(lookup, source, account, groups, found.gids);
    return std::string();
  });
  return found;
}

bool listsMember(const char* const* members, const std::string& account) {
  for (; members != nullptr && *members != nullptr; members++) {
    if (account == *members) return true;
  }
  return false;
}

}  // namespace sallyport
