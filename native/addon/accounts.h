#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace sallyport {

struct AccountQuery {
  /** Asked by name where there is one, else by uid. */
  std::optional<std::string> name;
  uid_t uid = 0;
  /** Groups whose membership is wanted. */
  std::vector<std::string> groups;
};

enum class AccountStatus { found, absent, unavailable };
enum class Membership { member, notMember, unresolved };

struct AccountAnswer {
  AccountStatus status = AccountStatus::unavailable;
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  /** One for each group of the query, in its order. */
  std::vector<Membership> groups;
  /** For the log, where the status is unavailable. */
  std::string why;
};

/** Asks NSS. Blocks for as long as a source likes to. */
AccountAnswer askAccount(const AccountQuery& query);

}  // namespace sallyport
