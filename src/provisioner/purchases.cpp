#include "provisioner/purchases.h"

#include "client/resources.h"

namespace keelway::provisioner {
namespace {

void keep_if_claim(const reconcile::Action& action, std::vector<value::Value>& bodies) {
  const auto* call = std::get_if<client::Call>(&action.what);
  if (call == nullptr || call->verb != client::Verb::create) return;
  if (call->resource == client::resources::node_claims) bodies.push_back(call->body);
}

}  // namespace

void Purchases::say(Buyer buyer, const reconcile::BatchLoop::Assumed& assumed,
                    const std::vector<reconcile::Action>& planned) {
  auto& bodies = under_way_.at(static_cast<std::size_t>(buyer));
  bodies.clear();
  for (const reconcile::Action* action : assumed.actions) keep_if_claim(*action, bodies);
  for (const reconcile::Action& action : planned) keep_if_claim(action, bodies);
}

void Purchases::add_to(std::map<std::string, ClaimState>& claims,
                       const cloud::Catalogue& catalogue) const {
  for (const auto& bodies : under_way_) {
    for (const value::Value& body : bodies) {
      ClaimState state = read_assumed_claim(body, catalogue);
      claims.try_emplace(state.name, std::move(state));
    }
  }
}

}  // namespace keelway::provisioner
