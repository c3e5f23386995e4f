#include "provisioner/solver.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <set>

#include "provisioner/names.h"
#include "provisioner/offers.h"
#include "provisioner/testing/fixtures.h"

namespace keelway::provisioner {
namespace {

using namespace testing;

constexpr const char* on_demand =
    R"([{"key":"karpenter.sh/capacity-type","operator":"In","values":["on-demand"]}])";

struct Market {
  SolverInput input;
  explicit Market(std::vector<NodePool> pools) {
    input.pools = std::move(pools);
    input.catalogue = catalogue().get();
  }
  Market& add(placement::PodInfoPtr pod) {
    input.pending.push_back(std::move(pod));
    return *this;
  }
  Market& add(int count, std::string_view cpu, std::string_view memory,
              std::string_view spec = "{}", std::string_view labels = "{}",
              const std::string& prefix = "p") {
    for (int i = 0; i < count; ++i) {
      input.pending.push_back(pod(prefix + std::to_string(i), cpu, memory, spec, labels));
    }
    return *this;
  }
  Solution solve() const { return provisioner::solve(input); }
};

// Every pod is planned once, on a node whose allowed types all have room for it.
void expect_sound(const Solution& solution, const SolverInput& input) {
  std::set<std::string> seen;
  for (const PlannedNode& node : solution.nodes) {
    placement::ResourceList sum;
    for (const auto& pod : node.pods) {
      EXPECT_TRUE(seen.insert(pod->uid).second) << pod->uid << " is planned twice";
      sum.add(pod->requests);
    }
    EXPECT_EQ(sum, node.requests);
    const auto names = node.requirements.get(instance_type_label).values();
    EXPECT_FALSE(names.empty());
    EXPECT_LE(names.size(), instance_types_max);
    for (const std::string& name : names) {
      EXPECT_TRUE(sum.fits_in(input.catalogue->find(name)->allocatable)) << name;
    }
    const Choice launched = cheapest_choice(node.requirements, node.requests, *input.catalogue);
    ASSERT_NE(launched.type, nullptr);
    EXPECT_EQ(launched.type->name, node.instance_type);
    EXPECT_EQ(launched.offering->price_micro_usd, node.price_micro_usd);
  }
}

std::vector<std::string> zones_of(const PlannedNode& node) {
  return node.requirements.get(zone_label).values();
}

TEST(Solver, BuysTheCheapestNodeThatFits) {
  Market market({pool("default", on_demand)});
  const Solution solution = market.add(1, "1", "1Gi").solve();
  ASSERT_EQ(solution.nodes.size(), 1u);
  expect_sound(solution, market.input);
  for (const cloud::InstanceType& type : catalogue()->types()) {
    if (!solution.nodes[0].requests.fits_in(type.allocatable)) continue;
    EXPECT_GE(type.find("us-east-1a", "on-demand")->price_micro_usd,
              solution.nodes[0].price_micro_usd)
        << type.name;
  }
}

TEST(Solver, PacksPodsTogether) {
  Market market({pool("default", on_demand)});
  const Solution solution = market.add(20, "500m", "1Gi").solve();
  expect_sound(solution, market.input);
  EXPECT_TRUE(solution.impossible.empty());
  EXPECT_LT(solution.nodes.size(), 10u);
}

TEST(Solver, DevicesAreOnlyOnTypesThatHaveThem) {
  Market market({pool("default", on_demand)});
  market.add(3, "1", "2Gi", R"({"containers":[{"resources":{"requests":{"nvidia.com/gpu":"1"}}}]})",
             "{}", "gpu");
  const Solution solution = market.add(5, "1", "2Gi").solve();
  expect_sound(solution, market.input);
  EXPECT_TRUE(solution.impossible.empty());
  std::int64_t gpus = 0;
  for (const PlannedNode& node : solution.nodes) gpus += node.requests.get("nvidia.com/gpu");
  EXPECT_EQ(gpus, 3);
}

TEST(Solver, HonoursNodeSelectors) {
  const struct {
    const char *key, *value;
  } cases[] = {{"kubernetes.io/arch", "arm64"},
               {"karpenter.sh/capacity-type", "spot"},
               {"topology.kubernetes.io/zone", "us-east-1c"},
               {"karpenter.k8s.aws/instance-category", "r"},
               {"karpenter.k8s.aws/instance-gpu-name", "t4"},
               {"node.kubernetes.io/instance-type", "m5.4xlarge"},
               {"team", "blue"}};
  for (const auto& c : cases) {
    Market market(
        {pool("default", "[]", R"({"template":{"metadata":{"labels":{"team":"blue"}}}})")});
    const std::string spec = value::to_json(
        value::Value::object({{"nodeSelector", value::Value::object({{c.key, c.value}})}}));
    const Solution solution = market.add(1, "1", "1Gi", spec).solve();
    ASSERT_EQ(solution.nodes.size(), 1u) << c.key;
    expect_sound(solution, market.input);
    const Choice launched =
        cheapest_choice(solution.nodes[0].requirements, solution.nodes[0].requests, *catalogue());
    placement::Labels labels = launched.type->labels;
    labels.set(zone_label, launched.offering->zone);
    labels.set(capacity_type_label, launched.offering->capacity_type);
    labels.set("team", "blue");
    EXPECT_EQ(labels.get(c.key), c.value) << launched.type->name;
  }
}

TEST(Solver, UnknownLabelsAreImpossible) {
  Market market({pool("default")});
  const Solution solution = market.add(1, "1", "1Gi", R"({"nodeSelector":{"team":"red"}})").solve();
  EXPECT_TRUE(solution.nodes.empty());
  ASSERT_EQ(solution.impossible.size(), 1u);
  EXPECT_EQ(solution.impossible[0].second,
            "incompatible with nodepool \"default\", label \"team\" does not have known values");
}

TEST(Solver, TermsOfAnAffinityAreAlternatives) {
  Market market({pool("default", on_demand)});
  const Solution solution =
      market
          .add(1, "1", "1Gi",
               R"({"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":
                  {"nodeSelectorTerms":[
                    {"matchExpressions":[{"key":"team","operator":"In","values":["red"]}]},
                    {"matchExpressions":[{"key":"kubernetes.io/arch","operator":"In",
                                          "values":["arm64"]}]}]}}}})")
          .solve();
  ASSERT_EQ(solution.nodes.size(), 1u);
  EXPECT_TRUE(solution.impossible.empty());
  EXPECT_EQ(solution.nodes[0].requirements.get("kubernetes.io/arch").values(),
            std::vector<std::string>{"arm64"});
}

TEST(Solver, NeedsAToleranceForThePoolsTaints) {
  const char* tainted =
      R"({"template":{"spec":{"taints":[{"key":"gpu","value":"yes","effect":"NoSchedule"}]}}})";
  Market market({[&] {
    value::Value document = pool_document("gpu", on_demand);
    document.mutate("spec", "template", "spec")
        .set("taints", doc(tainted).at("template", "spec", "taints"));
    return read_node_pool(*object_of(document));
  }()});
  market.add(pod("bad", "1", "1Gi"));
  market.add(pod("good", "1", "1Gi",
                 R"({"tolerations":[{"key":"gpu","operator":"Exists","effect":"NoSchedule"}]})"));
  const Solution solution = market.solve();
  ASSERT_EQ(solution.nodes.size(), 1u);
  EXPECT_EQ(solution.nodes[0].pods[0]->name, "good");
  ASSERT_EQ(solution.impossible.size(), 1u);
  EXPECT_EQ(solution.impossible[0].second, "did not tolerate the taints of nodepool \"gpu\"");
}

TEST(Solver, TakesTheFirstPoolThatSuits) {
  // The loop hands pools in by weight.
  Market market({pool("heavy", R"([{"key":"kubernetes.io/arch","operator":"In",
                                    "values":["arm64"]}])"),
                 pool("light", on_demand)});
  market.add(pod("any", "1", "1Gi"));
  market.add(pod("amd", "1", "1Gi", R"({"nodeSelector":{"kubernetes.io/arch":"amd64"}})"));
  const Solution solution = market.solve();
  ASSERT_EQ(solution.nodes.size(), 2u);
  EXPECT_EQ(solution.nodes[0].pool, "heavy");
  EXPECT_EQ(solution.nodes[0].pods[0]->name, "any");
  EXPECT_EQ(solution.nodes[1].pool, "light");
}

TEST(Solver, StaysWithinLimits) {
  Market cpu({pool("default", on_demand, R"({"limits":{"cpu":"8"}})")});
  const Solution solution = cpu.add(20, "900m", "1Gi").solve();
  std::int64_t milli = 0;
  for (const auto& node : solution.nodes) {
    milli += catalogue()->find(node.instance_type)->capacity.milli_cpu;
  }
  EXPECT_LE(milli, 8000);
  EXPECT_GT(milli, 4000);
  EXPECT_FALSE(solution.impossible.empty());
  EXPECT_EQ(solution.impossible[0].second,
            "no instance type of nodepool \"default\" has room within its limits");

  // Whichever of the types that a node may become is taken.
  Market spot({pool("default", "[]", R"({"limits":{"cpu":"19"}})")});
  std::int64_t most = 0;
  const Solution any = spot.add(30, "500m", "4Gi").solve();
  for (const auto& node : any.nodes) {
    most += most_capacity(node.requirements, node.requests, *catalogue()).milli_cpu;
  }
  EXPECT_LE(most, 19'000);
  EXPECT_GT(most, 10'000);

  Market used({pool("default", on_demand, R"({"limits":{"memory":"16Gi"}})")});
  used.input.used["default"].set("memory", 15ll << 30);
  EXPECT_TRUE(used.add(1, "1", "1Gi").solve().nodes.empty());

  Market none({pool("default", on_demand, R"({"limits":{"cpu":"0"}})")});
  EXPECT_TRUE(none.add(1, "100m", "100Mi").solve().nodes.empty());

  Market nodes({pool("default", on_demand, R"({"limits":{"nodes":"2"}})")});
  nodes.input.node_counts["default"] = 1;
  nodes.add(2, "1", "1Gi",
            R"({"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[
               {"topologyKey":"kubernetes.io/hostname",
                "labelSelector":{"matchLabels":{"app":"a"}}}]}}})",
            R"({"app":"a"})");
  EXPECT_EQ(nodes.solve().nodes.size(), 1u);
}

constexpr const char* zone_spread =
    R"({"topologySpreadConstraints":[{"topologyKey":"topology.kubernetes.io/zone","maxSkew":1,
        "whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"web"}}}]})";

TEST(Solver, SpreadsOverZones) {
  Market market({pool("default", on_demand)});
  const Solution solution = market.add(7, "1", "1Gi", zone_spread, R"({"app":"web"})").solve();
  expect_sound(solution, market.input);
  std::map<std::string, std::size_t> pods;
  for (const auto& node : solution.nodes) {
    ASSERT_EQ(zones_of(node).size(), 1u);
    pods[zones_of(node)[0]] += node.pods.size();
  }
  EXPECT_EQ(pods, (std::map<std::string, std::size_t>{
                      {"us-east-1a", 3}, {"us-east-1b", 2}, {"us-east-1c", 2}}));
}

TEST(Solver, SpreadsOnlyOverZonesThatThePoolHas) {
  Market market({pool("default", R"([{"key":"topology.kubernetes.io/zone","operator":"In",
                                      "values":["us-east-1a","us-east-1b"]}])")});
  const Solution solution = market.add(4, "1", "1Gi", zone_spread, R"({"app":"web"})").solve();
  EXPECT_TRUE(solution.impossible.empty());
  std::size_t pods = 0;
  for (const auto& node : solution.nodes) {
    EXPECT_NE(zones_of(node)[0], "us-east-1c");
    pods += node.pods.size();
  }
  EXPECT_EQ(pods, 4u);
}

placement::NodeState node(const std::string& name, std::string_view zone, std::int64_t milli_cpu) {
  placement::NodeState state;
  state.name = name;
  state.labels.set(zone_label, zone);
  state.labels.set(hostname_label, name);
  state.labels.set("kubernetes.io/arch", "amd64");
  state.allocatable.milli_cpu = milli_cpu;
  state.allocatable.memory = 64ll << 30;
  state.allocatable.pods = 110;
  return state;
}

TEST(Solver, FillsNodesThatAreThereFirst) {
  Market market({pool("default", on_demand)});
  market.input.nodes = {node("a", "us-east-1a", 4000)};
  const Solution solution = market.add(6, "1", "1Gi").solve();
  std::size_t bought = 0;
  for (const auto& planned : solution.nodes) bought += planned.pods.size();
  EXPECT_EQ(bought, 2u);

  market.input.nodes[0].unschedulable = true;
  bought = 0;
  for (const auto& planned : market.solve().nodes) bought += planned.pods.size();
  EXPECT_EQ(bought, 6u);
}

TEST(Solver, SpreadPodsUseNodesOnTheirWay) {
  Market market({pool("default", on_demand)});
  for (const char zone : {'a', 'b', 'c'}) {
    market.input.nodes.push_back(
        node(std::string("n") + zone, std::string("us-east-1") + zone, 2000));
  }
  market.add(6, "1", "1Gi", zone_spread, R"({"app":"web"})");
  EXPECT_TRUE(market.solve().nodes.empty()) << "each zone has room for two";
  market.add(1, "1", "1Gi", zone_spread, R"({"app":"web"})", "extra");
  EXPECT_EQ(market.solve().nodes.size(), 1u);
}

constexpr const char* host_spread =
    R"({"topologySpreadConstraints":[{"topologyKey":"kubernetes.io/hostname","maxSkew":2,
        "whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"web"}}}]})";

TEST(Solver, LimitsPodsPerNode) {
  Market market({pool("default", on_demand)});
  const Solution spread = market.add(6, "100m", "100Mi", host_spread, R"({"app":"web"})").solve();
  ASSERT_EQ(spread.nodes.size(), 3u);
  for (const auto& node : spread.nodes) EXPECT_EQ(node.pods.size(), 2u);

  Market ports({pool("default", on_demand)});
  ports.add(3, "100m", "100Mi",
            R"({"containers":[{"ports":[{"hostPort":80,"containerPort":80}]}]})");
  EXPECT_EQ(ports.solve().nodes.size(), 3u);
}

TEST(Solver, KeepsPodsApartThatRepelEachOther) {
  const char* away_from_db =
      R"({"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[
         {"topologyKey":"kubernetes.io/hostname",
          "labelSelector":{"matchLabels":{"app":"db"}}}]}}})";
  Market market({pool("default", on_demand)});
  market.add(2, "100m", "100Mi", away_from_db, R"({"app":"web"})", "web");
  market.add(2, "200m", "100Mi", "{}", R"({"app":"db"})", "db");
  const Solution solution = market.solve();
  ASSERT_EQ(solution.nodes.size(), 2u);
  for (const auto& node : solution.nodes) {
    ASSERT_EQ(node.pods.size(), 2u);
    EXPECT_EQ(node.pods[0]->labels, node.pods[1]->labels);
  }

  // Also where the other one runs already.
  Market there({pool("default", on_demand)});
  there.input.nodes = {node("a", "us-east-1a", 4000)};
  there.input.nodes[0].add(pod("db", "100m", "100Mi", "{}", R"({"app":"db"})"));
  there.add(1, "100m", "100Mi", away_from_db, R"({"app":"web"})", "web");
  EXPECT_EQ(there.solve().nodes.size(), 1u);
}

TEST(Solver, OneInEachZone) {
  const char* apart =
      R"({"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[
         {"topologyKey":"topology.kubernetes.io/zone",
          "labelSelector":{"matchLabels":{"app":"db"}}}]}}})";
  Market market({pool("default", on_demand)});
  const Solution solution = market.add(4, "1", "1Gi", apart, R"({"app":"db"})").solve();
  EXPECT_EQ(solution.nodes.size(), 3u);
  ASSERT_EQ(solution.impossible.size(), 1u);
  EXPECT_EQ(solution.impossible[0].second, "no zone satisfies its rules between pods");
}

TEST(Solver, AnOnDemandPodIsNotSoldASpotBargain) {
  Market market({pool("default")});
  market.add(8, "1", "4Gi", "{}", "{}", "any");
  market.add(8, "1", "4Gi", R"({"nodeSelector":{"karpenter.sh/capacity-type":"on-demand"}})", "{}",
             "od");
  const Solution both = market.solve();
  expect_sound(both, market.input);
  Market alone({pool("default")});
  alone.add(8, "1", "4Gi", R"({"nodeSelector":{"karpenter.sh/capacity-type":"on-demand"}})");
  std::int64_t best = INT64_MAX;
  for (const cloud::InstanceType& type : catalogue()->types()) {
    if (type.allocatable.milli_cpu < 1000 || type.allocatable.memory < (4ll << 30)) continue;
    const auto pods = std::min({type.allocatable.milli_cpu / 1000, type.allocatable.memory >> 32,
                                type.allocatable.pods, placement::Amount(8)});
    best = std::min(best, type.find("us-east-1a", "on-demand")->price_micro_usd / pods);
  }
  std::int64_t price = 0;
  for (const auto& node : alone.solve().nodes) price += node.price_micro_usd;
  EXPECT_LE(price, best * 8 * 115 / 100) << "within 15 % of the cheapest price a pod";
}

Market big_market(int pods, int shapes, int nodes) {
  Market market({pool("default")});
  base::Random random(1);
  for (int i = 0; i < nodes; ++i) {
    const std::string zone = std::string("us-east-1") + static_cast<char>('a' + i % 3);
    market.input.nodes.push_back(node("node" + std::to_string(i), zone, 2000));
  }
  std::vector<std::array<std::string, 4>> kinds;
  for (int i = 0; i < shapes; ++i) {
    std::string spec = "{}";
    if (i % 5 == 1) spec = R"({"nodeSelector":{"kubernetes.io/arch":"arm64"}})";
    if (i % 5 == 2) spec = zone_spread;
    if (i % 10 == 3) spec = R"({"nodeSelector":{"karpenter.sh/capacity-type":"spot"}})";
    if (i % 10 == 8) spec = host_spread;
    kinds.push_back({std::to_string(100 + random.below(40) * 100) + "m",
                     std::to_string(128 + random.below(64) * 128) + "Mi", spec,
                     i % 5 == 2 || i % 10 == 8 ? R"({"app":"web"})" : "{}"});
  }
  for (int i = 0; i < pods; ++i) {
    const auto& kind = kinds[static_cast<std::size_t>(i % shapes)];
    market.add(pod("p" + std::to_string(i), kind[0], kind[1], kind[2], kind[3]));
  }
  return market;
}

TEST(Solver, TheOrderOfPodsDoesNotMatter) {
  Market market = big_market(300, 20, 5);
  const Solution first = market.solve();
  expect_sound(first, market.input);
  std::reverse(market.input.pending.begin(), market.input.pending.end());
  const Solution second = market.solve();
  ASSERT_EQ(first.nodes.size(), second.nodes.size());
  for (std::size_t i = 0; i < first.nodes.size(); ++i) {
    EXPECT_EQ(first.nodes[i].instance_type, second.nodes[i].instance_type);
    EXPECT_EQ(first.nodes[i].requests, second.nodes[i].requests);
    EXPECT_EQ(value::to_json(first.nodes[i].requirements.to_value()),
              value::to_json(second.nodes[i].requirements.to_value()));
  }
}

// KEELWAY_BENCH=1 prints how long large inputs take; without it they are small.
TEST(Solver, SolvesLargeInputs) {
  const bool bench = std::getenv("KEELWAY_BENCH") != nullptr;
  const int scale = bench ? 1 : 20;
  const struct {
    int pods, shapes, nodes;
  } cases[] = {{10'000, 50, 0}, {10'000, 50, 1000}, {10'000, 1000, 0}};
  for (const auto& c : cases) {
    const Market market = big_market(c.pods / scale, c.shapes, c.nodes / scale);
    const auto start = std::chrono::steady_clock::now();
    const Solution solution = market.solve();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (bench) {
      std::int64_t price = 0;
      for (const auto& node : solution.nodes) price += node.price_micro_usd;
      printf("%d pods, %d shapes, %d nodes there: %zu bought, %.2f USD/h, %.3f s\n", c.pods,
             c.shapes, c.nodes, solution.nodes.size(), static_cast<double>(price) / 1e6,
             took.count());
    }
    expect_sound(solution, market.input);
    std::size_t planned = 0;
    for (const auto& node : solution.nodes) planned += node.pods.size();
    EXPECT_LE(planned + solution.impossible.size(), static_cast<std::size_t>(c.pods / scale));
    EXPECT_TRUE(solution.impossible.empty());
  }
}

}  // namespace
}  // namespace keelway::provisioner
