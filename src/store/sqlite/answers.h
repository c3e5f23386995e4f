// The answers of one batch of commits, on their way to those who wait: one hop to an executor for
// many of them.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "store/mailbox.h"

namespace keelway::store {

// Called with null after a commit, with the reason where there was none.
using Settle = std::move_only_function<void(const base::Error*)>;

class Answers {
 public:
  // A null mailbox or answer: nobody waits.
  void add(std::shared_ptr<Mailbox> mailbox, Settle answer);
  // Posts them all; those of one mailbox keep their order.
  void post(const base::Error* failure);

 private:
  std::vector<std::pair<std::shared_ptr<Mailbox>, std::vector<Settle>>> all_;
  std::unordered_map<const Mailbox*, std::size_t> places_;  // in all_; never iterated
};

}  // namespace keelway::store
