#include "aws/eks/versions.h"

#include <algorithm>
#include <optional>

#include "aws/eks/cluster_document.h"
#include "aws/eks/hub.h"
#include "aws/eks/operations.h"

namespace keelway::aws::eks {
namespace {

using value::Value;

// Dates as the service publishes them; empty where it has not.
struct Version {
  std::string_view minor, patch, platform;
  std::string_view released, standard_until, extended_until;  // RFC 3339
};

// Only what clusters can be made of: a version that is not served is not offered.
constexpr Version calendar[] = {
    {"1.33", "1.33.5", "eks.1", "2025-05-29T00:00:00Z", "2026-07-29T00:00:00Z",
     "2027-07-29T00:00:00Z"},
    {"1.32", "1.32.9", "eks.1", "2025-01-23T00:00:00Z", "2026-03-23T00:00:00Z",
     "2027-03-23T00:00:00Z"},
};

enum class Support { standard, extended, unsupported };

Support support_of(const Version& version, base::WallTime now) {
  const auto before = [now](std::string_view date) {
    const auto at = base::parse_rfc3339(date);
    return !at || now < *at;
  };
  if (before(version.standard_until)) return Support::standard;
  return before(version.extended_until) ? Support::extended : Support::unsupported;
}

std::string_view status_name(Support support) {
  switch (support) {
    case Support::standard:
      return "standard-support";
    case Support::extended:
      return "extended-support";
    case Support::unsupported:
      break;
  }
  return "unsupported";
}

std::string_view version_status_name(Support support) {
  switch (support) {
    case Support::standard:
      return "STANDARD_SUPPORT";
    case Support::extended:
      return "EXTENDED_SUPPORT";
    case Support::unsupported:
      break;
  }
  return "UNSUPPORTED";
}

Value information(const Version& version, Support support) {
  Value v = Value::object({{"clusterVersion", version.minor},
                           {"clusterType", "eks"},
                           {"defaultPlatformVersion", version.platform},
                           {"defaultVersion", version.minor == default_version},
                           {"kubernetesPatchVersion", version.patch},
                           {"status", status_name(support)},
                           {"versionStatus", version_status_name(support)}});
  const auto date = [&v](const char* member, std::string_view text) {
    if (const auto at = base::parse_rfc3339(text)) v.set(member, at->seconds());
  };
  date("releaseDate", version.released);
  date("endOfStandardSupportDate", version.standard_until);
  date("endOfExtendedSupportDate", version.extended_until);
  return v;
}

bool wanted(const Version& version, Support support, const Query& query) {
  const auto named = query.all("clusterVersions");
  if (!named.empty() && std::find(named.begin(), named.end(), version.minor) == named.end()) {
    return false;
  }
  if (query.has("clusterType") && query.first("clusterType") != "eks") return false;
  if (query.first("defaultOnly") == "true" && version.minor != default_version) return false;
  if (query.has("status")) return query.first("status") == status_name(support);
  if (query.has("versionStatus")) {
    return query.first("versionStatus") == version_status_name(support);
  }
  return support != Support::unsupported || query.first("includeAll") == "true" || !named.empty();
}

}  // namespace

bool can_create(std::string_view version) {
  return std::any_of(std::begin(calendar), std::end(calendar),
                     [&](const Version& one) { return one.minor == version; });
}

void describe_cluster_versions(ServicePtr service, Invocation invocation, Done done) {
  const Query& query = invocation.query;
  const auto optional = [&query](const char* name) {
    return query.has(name) ? Value(query.first(name)) : Value();
  };
  if (auto bad = check_enum("status", optional("status"),
                            {"unsupported", "standard-support", "extended-support"})) {
    return done(refuse(std::move(*bad)));
  }
  if (auto bad = check_enum("versionStatus", optional("versionStatus"),
                            {"UNSUPPORTED", "STANDARD_SUPPORT", "EXTENDED_SUPPORT"})) {
    return done(refuse(std::move(*bad)));
  }
  std::vector<const Version*> rows;
  std::vector<std::string> keys;  // positions: the newest version comes first
  for (const Version& one : calendar) {
    if (!wanted(one, support_of(one, service->executor.wall_now()), query)) continue;
    keys.push_back(std::to_string(100 + rows.size()));
    rows.push_back(&one);
  }
  auto page = paginate(query, "versions", keys, [&](std::size_t i) {
    return information(*rows[i], support_of(*rows[i], service->executor.wall_now()));
  });
  if (!page) return done(std::unexpected(page.error()));
  Value answer = Value::object({{"clusterVersions", std::move(page->items)}});
  if (!page->next_token.empty()) answer.set("nextToken", page->next_token);
  done(std::move(answer));
}

}  // namespace keelway::aws::eks
