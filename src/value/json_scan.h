// Finding places in compact JSON text without parsing the rest. For bytes that this program wrote
// itself: on other text the answers are harmless but mean nothing.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>

namespace keelway::value {

// The raw text of the member at a dotted path of members ("spec.nodeName"), quotes included;
// nullopt where it is absent.
std::optional<std::string_view> find_json_member(std::string_view json,
                                                 std::string_view dotted_path);

// Where a member called `key` has its sorted place in the object `json`, whose keys are sorted:
// the offset of the first greater key, or of the closing brace. nullopt where `json` is no object
// or has the member already.
std::optional<std::size_t> json_member_place(std::string_view json, std::string_view key);

// Every member of the object at the start of `json`, in order: its name without quotes, escapes as
// they are, and the raw text of its value. Nothing where there is no object.
void each_json_member(
    std::string_view json,
    const std::function<void(std::string_view name, std::string_view value)>& see);
// The raw text of every item of the array at the start of `json`.
void each_json_item(std::string_view json, const std::function<void(std::string_view item)>& see);

}  // namespace keelway::value
