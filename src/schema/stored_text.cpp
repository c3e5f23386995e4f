#include "schema/stored_text.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "value/json_scan.h"

namespace keelway::schema {
namespace {

constexpr std::string_view kEmptySet = "{}";
constexpr std::size_t kMarks = 1024;
constexpr int kLevels = 2;  // f:status, f:conditions

}  // namespace

bool FieldSets::seen_lately(std::size_t hash) {
  if (marks_.empty()) marks_.resize(kMarks);
  std::uint32_t& mark = marks_[hash % kMarks];
  const auto wanted = static_cast<std::uint32_t>(hash >> 32);
  return std::exchange(mark, wanted) == wanted;
}

// Others only ever release what they have, so what has one owner here keeps it.
void FieldSets::drop_unused() {
  std::erase_if(sets_, [](const auto& entry) { return entry.second.use_count() == 1; });
  limit_ = std::max<std::size_t>(64, 2 * sets_.size());
}

FieldSets::Shared FieldSets::share(std::string_view set) {
  const std::size_t hash = std::hash<std::string_view>()(set);
  if (const auto known = sets_.find({set, hash}); known != sets_.end()) return known->second;
  if (!seen_lately(hash)) return nullptr;
  if (sets_.size() >= limit_) drop_unused();
  auto shared = std::make_shared<const std::string>(set);
  sets_.emplace(Key{*shared, hash}, shared);
  return shared;
}

StoredText::StoredText(const std::shared_ptr<const std::string>& text, std::string_view metadata,
                       FieldSets* sets)
    : own_(text, text->data()), size_(static_cast<std::uint32_t>(text->size())) {
  if (sets == nullptr || metadata.size() < FieldSets::kLong) return;
  const auto managed = value::find_json_member(metadata, "managedFields");
  if (!managed || managed->size() < FieldSets::kLong) return;
  std::vector<Cut> cuts;
  // A set that is its object's own, by one key perhaps, may have long members that are not.
  const auto cut_out = [&](const auto& self, std::string_view set, int levels) -> void {
    if (set.size() < FieldSets::kLong || !set.starts_with('{')) return;
    if (auto shared = sets->share(set)) {
      cuts.push_back({set, std::move(shared)});
    } else if (levels > 0) {
      value::each_json_member(
          set, [&](std::string_view, std::string_view member) { self(self, member, levels - 1); });
    }
  };
  value::each_json_item(*managed, [&](std::string_view entry) {
    if (entry.size() < FieldSets::kLong) return;
    if (const auto set = value::find_json_member(entry, "fieldsV1")) {
      cut_out(cut_out, *set, kLevels);
    }
  });
  if (!cuts.empty()) join(*text, cuts);
}

void StoredText::join(const std::string& text, const std::vector<Cut>& cuts) {
  std::size_t size = text.size();
  for (const Cut& cut : cuts) size -= cut.set.size() - kEmptySet.size();
  const auto outline = std::make_shared_for_overwrite<char[]>(size);
  const auto parts = std::make_shared<Part[]>(cuts.size());
  char* out = outline.get();
  const char* from = text.data();
  const auto copy = [&out](const char* begin, std::size_t length) {
    std::memcpy(out, begin, length);
    out += length;
  };
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    copy(from, static_cast<std::size_t>(cuts[i].set.data() - from));
    parts[i] = {static_cast<std::size_t>(out - outline.get()), cuts[i].shared};
    copy(kEmptySet.data(), kEmptySet.size());
    from = cuts[i].set.data() + cuts[i].set.size();
  }
  copy(from, static_cast<std::size_t>(text.data() + text.size() - from));
  own_ = std::shared_ptr<const char>(outline, outline.get());
  size_ = static_cast<std::uint32_t>(size);
  parts_ = parts;
  parts_count_ = static_cast<std::uint32_t>(cuts.size());
}

std::size_t StoredText::size() const {
  std::size_t size = size_;
  for (std::size_t i = 0; i < parts_count_; ++i) size += parts_[i].set->size() - kEmptySet.size();
  return size;
}

void StoredText::append(std::string& out, std::size_t from, std::size_t to) const {
  const std::string_view own = outline();
  for (std::size_t i = 0; i < parts_count_; ++i) {
    const Part& part = parts_[i];
    if (part.at < from || part.at >= to) continue;
    out += own.substr(from, part.at - from);
    out += *part.set;
    from = part.at + kEmptySet.size();
  }
  out += own.substr(from, to - from);
}

std::string StoredText::whole() const {
  std::string text;
  text.reserve(size());
  append(text, 0, size_);
  return text;
}

}  // namespace keelway::schema
