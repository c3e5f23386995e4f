#include "store/sqlite/answers.h"

#include <algorithm>
#include <iterator>

namespace keelway::store {
namespace {

constexpr std::size_t answers_max = 64;  // a task, so that others on that thread have their turn

}  // namespace

void Answers::add(std::shared_ptr<Mailbox> mailbox, Settle answer) {
  if (!mailbox || !answer) return;
  const auto [place, fresh] = places_.try_emplace(mailbox.get(), all_.size());
  if (fresh) all_.emplace_back(std::move(mailbox), std::vector<Settle>());
  all_[place->second].second.push_back(std::move(answer));
}

void Answers::post(const base::Error* failure) {
  const auto shared = failure != nullptr ? std::make_shared<const base::Error>(*failure) : nullptr;
  for (auto& [mailbox, answers] : all_) {
    for (std::size_t first = 0; first < answers.size(); first += answers_max) {
      const auto begin = answers.begin() + static_cast<std::ptrdiff_t>(first);
      const auto count = std::min(answers_max, answers.size() - first);
      std::vector<Settle> some(std::make_move_iterator(begin),
                               std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(count)));
      // The mailbox lives while it runs this; a callback may close it.
      mailbox->post([mailbox = mailbox.get(), some = std::move(some), shared]() mutable {
        for (Settle& answer : some) {
          if (!mailbox->is_open()) return;
          answer(shared.get());
        }
      });
    }
  }
  all_.clear();
  places_.clear();
}

}  // namespace keelway::store
