#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace sallyport {

/**
 * The sources of /etc/nsswitch.conf asked one by one, past libc.
 *
 * libc merges them and keeps what failed to itself: a dead source in front of `files` ends as "no such
 * account", and getgrouplist() just returns a shorter list. So wherever libc's answer is "no", the sources
 * are asked again, and "no" counts only if none of them failed. `files` is left out: libc reports its
 * failures. [ACTIONS] of the line are not read; a source behind one is asked too, which can only make the
 * answer stricter.
 */

/** Whether every source could tell. Empty: yes; else which one could not, for the log. */
std::string troubleWithName(const std::string& name);
std::string troubleWithUid(uid_t uid);

struct SourceGroups {
  /** Supplementary groups of the account, of all sources that list them. */
  std::vector<gid_t> gids;
  /** Empty, or which source could not tell. */
  std::string trouble;
};

/** @param groups the groups in question, for sources that can only list a group's members */
SourceGroups sourceGroups(const std::string& account, gid_t primary, const std::vector<std::string>& groups);

/** gr_mem holds exactly this name. */
bool listsMember(const char* const* members, const std::string& account);

}  // namespace sallyport
