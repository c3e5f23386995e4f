#include "kinds/events.h"
#include "kinds/printers/cells.h"
#include "kinds/printers/printers.h"

namespace keelway::kinds {
namespace {

using value::Value;

std::string target_of(const Value& involved) {
  const std::string kind = cells::lower(involved["kind"].as_string());
  const std::string& name = involved["name"].as_string();
  return name.empty() ? kind : kind + "/" + name;
}

// Old clients fill source, new ones the reporting members.
std::string source_of(const Value& event) {
  const Value& source = event["source"];
  std::string component =
      cells::or_else(source["component"], event["reportingComponent"].as_string());
  const std::string host = cells::or_else(source["host"], event["reportingInstance"].as_string());
  return host.empty() ? component : component + ", " + host;
}

std::string trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(blanks) - begin + 1));
}

}  // namespace

value::Array print_event(const schema::Kind&, const Value& event, base::WallTime now) {
  const Value& first = event["firstTimestamp"];
  const std::string first_seen = cells::since(first ? first : event["eventTime"], now);
  std::string last_seen = first_seen;
  if (event["lastTimestamp"]) last_seen = cells::since(event["lastTimestamp"], now);
  std::int64_t count = event["count"].as_int();
  if (const Value& series = event["series"]) {
    last_seen = cells::since(series["lastObservedTime"], now);
    count = series["count"].as_int();
  } else if (count == 0) {
    count = 1;
  }
  const Value& involved = event["involvedObject"];
  return {last_seen,
          event["type"].as_string(),
          event["reason"].as_string(),
          target_of(involved),
          involved["fieldPath"].as_string(),
          source_of(event),
          trim(event["message"].as_string()),
          first_seen,
          count,
          cells::name(event)};
}

value::Array print_regarding_event(const schema::Kind& kind, const Value& event,
                                   base::WallTime now) {
  return print_event(kind, to_core_event(event), now);
}

}  // namespace keelway::kinds
