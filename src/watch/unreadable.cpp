#include "watch/unreadable.h"

#include <algorithm>

namespace keelway::watch {

void Unreadable::take_from(std::vector<store::Entry>& entries) {
  keys_.clear();
  for (const store::Entry& entry : entries) {
    if (!entry.value) keys_.emplace(entry.key, entry.modified);
  }
  if (keys_.empty()) return;
  std::erase_if(entries, [](const store::Entry& entry) { return !entry.value; });
}

base::Result<void> Unreadable::plausible(std::size_t readable) const {
  if (keys_.size() <= readable) return {};
  return base::fail(base::ErrorCode::internal,
                    std::to_string(keys_.size()) + " of " +
                        std::to_string(keys_.size() + readable) +
                        " stored values do not open, such as that of " + keys_.begin()->first +
                        "; put back the sealing key that this data was made with, or restore a "
                        "backup");
}

bool Unreadable::takes(const store::Event& event) {
  const bool opens = event.type == store::Event::Type::deletion || event.entry.value;
  if (opens)
    keys_.erase(event.entry.key);
  else
    keys_[event.entry.key] = event.entry.modified;
  return !opens;
}

store::Revision Unreadable::revision_of(std::string_view key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? 0 : found->second;
}

}  // namespace keelway::watch
