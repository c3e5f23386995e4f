#include "provisioner/pod_rules.h"

#include <algorithm>

#include "provisioner/names.h"

namespace keelway::provisioner {
namespace {

using placement::NodeState;
using placement::PodInfo;
using placement::PodTerm;
using placement::SpreadConstraint;

bool is_hard(const SpreadConstraint& spread, std::string_view key) {
  return spread.hard && spread.topology_key == key;
}

bool counts_for(const SpreadConstraint& spread, const PodInfo& owner, const PodInfo& other) {
  return other.name_space == owner.name_space && spread.selector.matches(other.labels.pairs());
}

bool is_repelled(const PodInfo& pod, const PodInfo& other) {
  return std::any_of(pod.anti_affinity->required.begin(), pod.anti_affinity->required.end(),
                     [&other](const PodTerm& term) {
                       return term.topology_key == hostname_label &&
                              term.selects(other.name_space, other.labels);
                     });
}

bool ports_clash(const std::vector<placement::HostPort>& a,
                 const std::vector<placement::HostPort>& b) {
  return std::any_of(a.begin(), a.end(), [&b](const auto& port) {
    return std::any_of(b.begin(), b.end(), [&port](const auto& o) { return port.clashes(o); });
  });
}

void append(std::string& text, char kind, std::string_view key, std::string_view rest) {
  text += '|';
  text += kind;
  text += key;
  text += '=';
  text += rest;
}

void append_rules(const PodInfo& pod, std::string& text) {
  append(text, 'N', pod.name_space, "");
  for (const auto& [key, label] : pod.labels.pairs()) append(text, 'l', key, label);
  for (const SpreadConstraint& spread : pod.spread) {
    if (!spread.hard) continue;
    append(text, 'S', spread.topology_key, spread.selector.to_string());
    text += std::to_string(spread.max_skew);
  }
  for (const PodTerm& term : pod.anti_affinity->required) append(text, 'A', "", term.text());
  for (const PodTerm& term : pod.affinity->required) append(text, 'W', "", term.text());
}

}  // namespace

std::string demand_of(const PodInfo& pod) {
  std::string text = pod.node_affinity->required_text;
  for (const auto& [key, label] : pod.node_affinity->node_selector.pairs()) {
    append(text, 's', key, label);
  }
  pod.requests.for_each([&text](std::string_view name, placement::Amount amount) {
    append(text, 'r', name, std::to_string(amount));
  });
  for (const placement::Toleration& t : pod.tolerations) {
    append(text, t.exists ? 'e' : 't', t.key, t.value);
    if (t.effect) text += static_cast<char>('0' + static_cast<int>(*t.effect));
  }
  for (const placement::HostPort& port : pod.host_ports) {
    append(text, 'p', port.ip, port.protocol);
    text += std::to_string(port.port);
  }
  if (!pod.spread.empty() || !pod.anti_affinity->required.empty() ||
      !pod.affinity->required.empty()) {
    append_rules(pod, text);
  }
  return text;
}

std::size_t per_node_max(const PodInfo& pod) {
  if (repel(pod, pod)) return 1;
  std::size_t most = SIZE_MAX;
  for (const SpreadConstraint& spread : pod.spread) {
    if (is_hard(spread, hostname_label) && counts_for(spread, pod, pod)) {
      most = std::min<std::size_t>(most, std::max(spread.max_skew, 1));
    }
  }
  return most;
}

bool may_join(const PodInfo& pod, const NodeState& node) {
  for (const SpreadConstraint& spread : pod.spread) {
    if (!is_hard(spread, hostname_label) || !counts_for(spread, pod, pod)) continue;
    const auto there = std::count_if(node.pods.begin(), node.pods.end(), [&](const auto& other) {
      return counts_for(spread, pod, *other);
    });
    if (there >= spread.max_skew) return false;
  }
  return std::none_of(node.pods.begin(), node.pods.end(), [&pod](const auto& other) {
    return is_repelled(pod, *other) || is_repelled(*other, pod);
  });
}

bool repel(const PodInfo& a, const PodInfo& b) {
  return is_repelled(a, b) || is_repelled(b, a) || ports_clash(a.host_ports, b.host_ports);
}

struct ZoneCounts::Rule {
  enum class Sort { spread, apart, together };
  Sort sort = Sort::spread;
  std::string text;
  std::int64_t max_skew = 1;
  bool self = false;                            // the pod counts itself
  std::function<bool(const PodInfo&)> selects;  // no longer than the pod
};

std::vector<ZoneCounts::Rule> ZoneCounts::rules_of(const PodInfo& pod) {
  std::vector<Rule> rules;
  for (const SpreadConstraint& spread : pod.spread) {
    if (!is_hard(spread, zone_label)) continue;
    rules.push_back({Rule::Sort::spread, "S" + pod.name_space + "|" + spread.selector.to_string(),
                     spread.max_skew, counts_for(spread, pod, pod),
                     [&](const PodInfo& other) { return counts_for(spread, pod, other); }});
  }
  const auto add_terms = [&](const std::vector<PodTerm>& terms, Rule::Sort sort) {
    for (const PodTerm& term : terms) {
      if (term.topology_key != zone_label) continue;
      rules.push_back(
          {sort, "T" + term.text(), 1, term.selects(pod.name_space, pod.labels),
           [&term](const PodInfo& other) { return term.selects(other.name_space, other.labels); }});
    }
  };
  add_terms(pod.anti_affinity->required, Rule::Sort::apart);
  add_terms(pod.affinity->required, Rule::Sort::together);
  return rules;
}

bool ZoneCounts::has_rules(const PodInfo& pod) {
  const auto of_zone = [](const auto& term) { return term.topology_key == zone_label; };
  const auto any = [&](const auto& list) { return std::any_of(list.begin(), list.end(), of_zone); };
  return any(pod.spread) || any(pod.anti_affinity->required) || any(pod.affinity->required);
}

ZoneCounts::Counts& ZoneCounts::counts(const Rule& rule) {
  const auto [found, fresh] = counts_.try_emplace(rule.text);
  if (!fresh) return found->second;
  for (const NodeState& node : nodes_) {
    const std::string zone(node.labels.get(zone_label));
    if (zone.empty()) continue;
    found->second[zone] += std::count_if(node.pods.begin(), node.pods.end(),
                                         [&](const auto& pod) { return rule.selects(*pod); });
  }
  return found->second;
}

std::vector<std::string> ZoneCounts::allowed(const PodInfo& pod,
                                             const std::set<std::string>& zones) {
  std::vector<std::string> open(zones.begin(), zones.end());
  const std::vector<Rule> rules = rules_of(pod);
  for (const Rule& rule : rules) {
    Counts& by_zone = counts(rule);
    std::int64_t least = INT64_MAX, sum = 0;
    for (const std::string& zone : zones) least = std::min(least, by_zone[zone]);
    for (const auto& [zone, count] : by_zone) sum += count;
    std::erase_if(open, [&](const std::string& zone) {
      const std::int64_t here = by_zone[zone];
      if (rule.sort == Rule::Sort::spread) return here + rule.self - least > rule.max_skew;
      if (rule.sort == Rule::Sort::apart) return here > 0;
      return here == 0 && !(sum == 0 && rule.self);
    });
  }
  if (rules.empty()) return open;
  const Counts& by_zone = counts(rules.front());
  const auto count = [&by_zone](const std::string& zone) {
    const auto found = by_zone.find(zone);
    return found != by_zone.end() ? found->second : 0;
  };
  const bool most_first = rules.front().sort == Rule::Sort::together;
  std::stable_sort(open.begin(), open.end(), [&](const std::string& a, const std::string& b) {
    return most_first ? count(a) > count(b) : count(a) < count(b);
  });
  return open;
}

void ZoneCounts::place(const PodInfo& pod, const std::string& zone) {
  for (const Rule& rule : rules_of(pod)) {
    Counts& by_zone = counts(rule);
    if (rule.self) ++by_zone[zone];
  }
}

}  // namespace keelway::provisioner
