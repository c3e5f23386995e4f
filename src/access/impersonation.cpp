#include "access/impersonation.h"

#include <algorithm>
#include <optional>

#include "access/authorizers.h"
#include "base/encoding.h"

namespace keelway::access {
namespace {

constexpr std::string_view prefix = "impersonate-";
constexpr std::string_view extra_prefix = "impersonate-extra-";
constexpr std::string_view service_account_prefix = "system:serviceaccount:";

struct Wish {
  std::optional<std::string> user;
  Identity identity;
};

Wish read(const HeaderList& headers) {
  Wish wish;
  for (const auto& [name, text] : headers) {
    if (name == "impersonate-user") {
      wish.user = text;
    } else if (name == "impersonate-group") {
      wish.identity.groups.push_back(text);
    } else if (name == "impersonate-uid") {
      wish.identity.uid = text;
    } else if (name.starts_with(extra_prefix)) {
      const std::string raw = name.substr(extra_prefix.size());
      wish.identity.extra[base::percent_decode(raw).value_or(raw)].push_back(text);
    }
  }
  if (wish.user) wish.identity.user = *wish.user;
  return wish;
}

Attributes attributes(std::string_view group, std::string_view resource, std::string_view name) {
  Attributes what;
  what.verb = "impersonate";
  what.group = group;
  what.version = "v1";
  what.resource = resource;
  what.name = name;
  return what;
}

// {namespace, name} of "system:serviceaccount:ns:name".
std::optional<std::pair<std::string, std::string>> service_account_of(std::string_view user) {
  if (!user.starts_with(service_account_prefix)) return std::nullopt;
  user.remove_prefix(service_account_prefix.size());
  const std::size_t colon = user.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == user.size() ||
      user.find(':', colon + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  return std::pair(std::string(user.substr(0, colon)), std::string(user.substr(colon + 1)));
}

// What the caller must be allowed to take on, part by part.
std::vector<Attributes> parts_of(const Identity& wanted) {
  std::vector<Attributes> parts;
  if (const auto account = service_account_of(wanted.user)) {
    parts.push_back(attributes("", "serviceaccounts", account->second));
    parts.back().name_space = account->first;
  } else {
    parts.push_back(attributes("", "users", wanted.user));
  }
  for (const std::string& group : wanted.groups) parts.push_back(attributes("", "groups", group));
  for (const auto& [key, values] : wanted.extra) {
    for (const std::string& text : values) {
      parts.push_back(attributes("authentication.k8s.io", "userextras", text));
      parts.back().subresource = key;
    }
  }
  if (!wanted.uid.empty()) {
    parts.push_back(attributes("authentication.k8s.io", "uids", wanted.uid));
  }
  return parts;
}

// The groups that follow from the user, unless the caller said otherwise.
void complete(Identity& wanted) {
  if (wanted.groups.empty()) {
    if (const auto account = service_account_of(wanted.user)) {
      wanted.groups = {"system:serviceaccounts", "system:serviceaccounts:" + account->first};
    }
  }
  const bool has_state =
      std::any_of(wanted.groups.begin(), wanted.groups.end(), [](const std::string& group) {
        return group == "system:authenticated" || group == "system:unauthenticated";
      });
  if (has_state) return;
  wanted.groups.emplace_back(wanted.user == "system:anonymous" ? "system:unauthenticated"
                                                               : "system:authenticated");
}

}  // namespace

bool asks_impersonation(const HeaderList& headers) {
  return std::any_of(headers.begin(), headers.end(),
                     [](const auto& header) { return header.first.starts_with(prefix); });
}

schema::Answer<Identity> impersonate(const Identity& caller, const HeaderList& headers,
                                     const Authorizer& authorizer) {
  if (!asks_impersonation(headers)) return caller;
  Wish wish = read(headers);
  const Identity& wanted = wish.identity;
  if (!wish.user || wish.user->empty()) {
    if (wanted.groups.empty() && wanted.extra.empty() && wanted.uid.empty()) return caller;
    return std::unexpected(
        schema::internal_error("groups, uid or extra were to be impersonated without a user"));
  }
  for (const Attributes& part : parts_of(wanted)) {
    if (auto allowed = require(authorizer, caller, part); !allowed) {
      return std::unexpected(allowed.error());
    }
  }
  complete(wish.identity);
  return std::move(wish.identity);
}

}  // namespace keelway::access
