#include "local_accounts.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <sstream>

/*
 * Invariants:
 *  - an account is answered only if libc would answer the same without asking another source;
 *  - nothing here waits: the files are regular, local to /etc and small.
 */

namespace sallyport {

namespace {

constexpr const char* kSwitchFile = "/etc/nsswitch.conf";
constexpr const char* kAccountsFile = "/etc/passwd";
/** About a thousand accounts, read in less time than it takes to wake a thread. */
constexpr off_t kLargestFile = 64 * 1024;
/** A longer line is left to NSS. */
constexpr size_t kLongestLine = 4096;

struct CloseFile {
  void operator()(FILE* file) const { fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

/** Empty unless it is a regular file of at most kLargestFile. */
File openSmall(const char* path) {
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return nullptr;
  struct stat found {};
  const bool small = fstat(descriptor, &found) == 0 && S_ISREG(found.st_mode) && found.st_size <= kLargestFile;
  File file(small ? fdopen(descriptor, "r") : nullptr);
  if (file == nullptr) close(descriptor);
  return file;
}

/** Of one line: whether it names the sources of accounts; if so, whether `files` decides first. */
enum class SwitchLine { other, filesFirst, otherFirst };

SwitchLine read(const std::string& line) {
  std::istringstream words(line.substr(0, line.find('#')));
  std::string word;
  if (!(words >> word) || (word != "passwd" && word.rfind("passwd:", 0) != 0)) return SwitchLine::other;
  if (word != "passwd:" || !(words >> word) || word != "files") return SwitchLine::otherFirst;
  const bool plain = !(words >> word) || word.front() != '[';
  return plain ? SwitchLine::filesFirst : SwitchLine::otherFirst;
}

/** Without a line, or with two, it is left to libc what they mean. */
bool filesDecideFirst() {
  const File file = openSmall(kSwitchFile);
  if (file == nullptr) return false;
  int first = 0;
  int lines = 0;
  std::array<char, kLongestLine> text{};
  while (fgets(text.data(), static_cast<int>(text.size()), file.get()) != nullptr) {
    const std::string whole(text.data());
    if (whole.size() + 1 == text.size()) return false;
    const SwitchLine line = read(whole);
    if (line != SwitchLine::other) lines++;
    if (line == SwitchLine::filesFirst) first++;
  }
  return ferror(file.get()) == 0 && lines == 1 && first == 1;
}

/** As the source `files` compares: entries of NIS begin with a sign and are no accounts. */
bool isAsked(const passwd& entry, const AccountQuery& query) {
  if (entry.pw_name[0] == '+' || entry.pw_name[0] == '-') return false;
  return query.name.has_value() ? *query.name == entry.pw_name : query.uid == entry.pw_uid;
}

}  // namespace

std::optional<AccountAnswer> localAccount(const AccountQuery& query) {
  if (!query.groups.empty() || !filesDecideFirst()) return std::nullopt;
  const File file = openSmall(kAccountsFile);
  if (file == nullptr) return std::nullopt;
  std::array<char, kLongestLine> text{};
  passwd entry{};
  passwd* found = nullptr;
  // A line that does not fit ends the search: the account may be on it.
  while (fgetpwent_r(file.get(), &entry, text.data(), text.size(), &found) == 0 && found != nullptr) {
    if (!isAsked(*found, query)) continue;
    AccountAnswer answer;
    answer.status = AccountStatus::found;
    answer.name = found->pw_name;
    answer.uid = found->pw_uid;
    answer.gid = found->pw_gid;
    return answer;
  }
  return std::nullopt;
}

}  // namespace sallyport
