#include "accounts.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sources.h"

/*
 * Invariants:
 *  - absent and notMember are said only when every source could tell;
 *  - a group that does not resolve is unresolved, whether NSS failed or does not know it: a source that is
 *    unreachable looks like a group that does not exist;
 *  - names are compared byte by byte.
 */

namespace sallyport {

namespace {

/** A group of a hundred thousand members fits. */
constexpr size_t kLargestBuffer = 16 * 1024 * 1024;
/** NGROUPS_MAX of the kernel: no account has more. */
constexpr int kMostGroups = 65536;
constexpr int kInterruptions = 8;

AccountAnswer unavailable(const std::string& why) {
  AccountAnswer answer;
  answer.why = why;
  return answer;
}

/** Calls a getXX_r function until the entry fits; returns its error, ERANGE where it never does. */
template <typename Lookup>
int untilItFits(std::vector<char>& buffer, Lookup lookup) {
  int interruptions = 0;
  for (buffer.resize(4096);;) {
    const int error = lookup(buffer.data(), buffer.size());
    if (error == EINTR && ++interruptions <= kInterruptions) continue;
    if (error != ERANGE || buffer.size() >= kLargestBuffer) return error;
    buffer.resize(buffer.size() * 4);
  }
}

/** Some sources say "not found" with these; whether the source was there at all is asked separately. */
bool meansNotFound(int error) {
  return error == 0 || error == ENOENT || error == ESRCH;
}

/** getgrouplist() reports no failure; these are left in errno when `files` could not be opened. */
bool outOfResources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == EACCES || error == EIO;
}

struct GroupList {
  std::vector<gid_t> gids;
  bool complete = false;
};

/** Supplementary and primary groups as libc merges them. */
GroupList groupsOf(const AccountAnswer& account) {
  GroupList list;
  for (int capacity = 64;; capacity *= 4) {
    list.gids.resize(static_cast<size_t>(capacity));
    int count = capacity;
    errno = 0;
    const int result = getgrouplist(account.name.c_str(), account.gid, list.gids.data(), &count);
    if (result >= 0) {
      list.complete = !outOfResources(errno);
      list.gids.resize(static_cast<size_t>(count));
      return list;
    }
    if (count <= capacity || capacity > kMostGroups) {
      list.gids.clear();
      return list;
    }
  }
}

bool holds(const std::vector<gid_t>& gids, gid_t gid) {
  return std::find(gids.begin(), gids.end(), gid) != gids.end();
}

struct Resolved {
  bool resolved = false;
  gid_t gid = 0;
  bool listed = false;
};

Resolved resolveGroup(const std::string& name, const std::string& account) {
  group entry{};
  group* found = nullptr;
  std::vector<char> buffer;
  const int error = untilItFits(
      buffer, [&](char* bytes, size_t size) { return getgrnam_r(name.c_str(), &entry, bytes, size, &found); });
  if (error != 0 || found == nullptr) return {};
  return {true, entry.gr_gid, listsMember(entry.gr_mem, account)};
}

/** Fills in the memberships; the account is known. */
void decideGroups(const AccountQuery& query, AccountAnswer& answer) {
  if (query.groups.empty()) return;
  const GroupList list = groupsOf(answer);
  std::vector<Resolved> resolved;
  bool doubtful = false;
  for (const std::string& name : query.groups) {
    const Resolved group = resolveGroup(name, answer.name);
    const bool member = group.listed || group.gid == answer.gid || holds(list.gids, group.gid);
    doubtful = doubtful || (group.resolved && !member);
    resolved.push_back(group);
    answer.groups.push_back(group.resolved && member ? Membership::member : Membership::unresolved);
  }
  if (!doubtful || !list.complete) return;

  // Each "no" so far may come from a source that is unreachable.
  const SourceGroups sources = sourceGroups(answer.name, answer.gid, query.groups);
  for (size_t index = 0; index < resolved.size(); index++) {
    if (!resolved[index].resolved || answer.groups[index] == Membership::member) continue;
    if (holds(sources.gids, resolved[index].gid)) {
      answer.groups[index] = Membership::member;
    } else if (sources.trouble.empty()) {
      answer.groups[index] = Membership::notMember;
    }
  }
}

}  // namespace

AccountAnswer askAccount(const AccountQuery& query) {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer;
  const bool byName = query.name.has_value();
  const int error = untilItFits(buffer, [&](char* bytes, size_t size) {
    return byName ? getpwnam_r(query.name->c_str(), &entry, bytes, size, &found)
                  : getpwuid_r(query.uid, &entry, bytes, size, &found);
  });
  if (found == nullptr) {
    const char* function = byName ? "getpwnam_r" : "getpwuid_r";
    if (!meansNotFound(error)) return unavailable(std::string(function) + ": " + std::strerror(error));
    const std::string trouble = byName ? troubleWithName(*query.name) : troubleWithUid(query.uid);
    if (!trouble.empty()) return unavailable(trouble);
    AccountAnswer absent;
    absent.status = AccountStatus::absent;
    return absent;
  }

  AccountAnswer answer;
  answer.status = AccountStatus::found;
  answer.name = entry.pw_name;
  answer.uid = entry.pw_uid;
  answer.gid = entry.pw_gid;
  decideGroups(query, answer);
  return answer;
}

}  // namespace sallyport
