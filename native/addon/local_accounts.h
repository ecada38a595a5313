#pragma once

#include <optional>

#include "accounts.h"

namespace sallyport {

/**
 * An account of /etc/passwd, where libc would take it from there too: `files` is the first source of `passwd` in
 * nsswitch.conf, and no [ACTION] follows it. Empty in every other case, which says nothing about the account.
 *
 * It reads two local files and asks no source, so that it may run on the event loop. Groups are not answered.
 */
std::optional<AccountAnswer> localAccount(const AccountQuery& query);

}  // namespace sallyport
