// Texts that the printers of several kinds share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "value/value.h"

namespace keelway::kinds::cells {

// How long ago a timestamp is ("4d5h"); "<unknown>" where there is none.
std::string since(const value::Value& timestamp, base::WallTime now);
std::string age(const value::Value& object, base::WallTime now);  // since its creation

const std::string& name(const value::Value& object);
std::string or_else(const value::Value& text, std::string_view fallback);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
// One member of each item, joined by commas: the names of containers.
std::string join_members(const value::Value& items, std::string_view member);
std::string fraction(std::int64_t of, std::int64_t whole);  // "1/2"
std::string lower(std::string_view text);
// "a=b,c=d" or "<none>".
std::string labels(const value::Value& labels);
// A label selector as kubectl's -l takes it, or "<none>".
std::string selector(const value::Value& selector);
bool condition_is_true(const value::Value& status, std::string_view type);

}  // namespace keelway::kinds::cells
