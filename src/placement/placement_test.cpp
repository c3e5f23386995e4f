#include <gtest/gtest.h>

#include "placement/fit.h"
#include "placement/spread.h"
#include "value/json.h"

namespace keelway::placement {
namespace {

value::Value doc(std::string_view text) {
  const auto parsed = value::parse_json(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(value::Value());
}

NodeState node(const std::string& name, const std::string& zone, const std::string& extra = "") {
  return read_node(doc(R"({"metadata":{"name":")" + name +
                       R"(","labels":{"kubernetes.io/hostname":")" + name + R"(","zone":")" + zone +
                       R"("}},"spec":{)" + extra +
                       R"(},"status":{"allocatable":{"cpu":"2","memory":"4Gi","pods":"10"}}})"));
}

PodInfo pod(const std::string& name, const std::string& spec, const std::string& app = "a") {
  return read_pod(doc(R"({"metadata":{"name":")" + name + R"(","namespace":"n","uid":")" + name +
                      R"(","labels":{"app":")" + app + R"("}},"spec":{)" + spec + "}}"));
}

PodInfoPtr shared(PodInfo info) {
  return std::make_shared<const PodInfo>(std::move(info));
}

TEST(Resources, PodRequestsTakeInitContainersSidecarsAndOverhead) {
  const ResourceList requests = pod_requests(doc(R"({"spec":{
    "containers":[{"resources":{"requests":{"cpu":"500m","memory":"1Gi"}}},
                  {"resources":{"requests":{"cpu":"250m","nvidia.com/gpu":"1"}}}],
    "initContainers":[
      {"restartPolicy":"Always","resources":{"requests":{"cpu":"100m"}}},
      {"resources":{"requests":{"cpu":"2"}}}],
    "overhead":{"cpu":"10m"}}})"));
  EXPECT_EQ(requests.milli_cpu, 2110);  // init 2000 + sidecar 100 + overhead 10
  EXPECT_EQ(requests.memory, 1LL << 30);
  EXPECT_EQ(requests.get("nvidia.com/gpu"), 1);
  EXPECT_EQ(requests.pods, 1);
}

TEST(Resources, SubtractionLeavesEqualLists) {
  ResourceList list = ResourceList::read(doc(R"({"cpu":"1","x.y/z":"3"})"));
  const ResourceList before = list;
  const ResourceList other = ResourceList::read(doc(R"({"cpu":"20m","a.b/c":"1"})"));
  list.add(other);
  EXPECT_FALSE(list == before);
  list.subtract(other);
  EXPECT_TRUE(list == before);
  EXPECT_EQ(list.to_value()["cpu"].as_string(), "1");
}

TEST(Taints, ShortestTolerationCounts) {
  const auto taints = read_taints(doc(R"([{"key":"k","value":"v","effect":"NoExecute"}])"));
  EXPECT_EQ(seconds_until_eviction(taints, {}), 0);
  const auto tolerations = read_tolerations(doc(R"([
    {"key":"k","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},
    {"operator":"Exists","tolerationSeconds":20}])"));
  EXPECT_EQ(seconds_until_eviction(taints, tolerations), 20);
  EXPECT_EQ(seconds_until_eviction(taints, read_tolerations(doc(R"([{"operator":"Exists"}])"))),
            std::nullopt);
}

TEST(Labels, CopiesDoNotFeelAChange) {
  const Labels labels = Labels::read(doc(R"({"b":"2","a":"1"})"));
  Labels copy = labels;
  copy.set("a", "3");
  copy.set("c", "4");
  EXPECT_EQ(labels.get("a"), "1");
  EXPECT_FALSE(labels.contains("c"));
  EXPECT_EQ(copy.get("a"), "3");
  EXPECT_FALSE(copy == labels);
  copy = Labels();
  copy.set("a", "1");
  copy.set("b", "2");
  EXPECT_EQ(copy, labels);
  EXPECT_EQ(Labels(), Labels::read(doc("{}")));
}

TEST(PodInfo, CopiesKeepTheirAffinity) {
  PodInfo p = pod("p", R"("nodeSelector":{"disk":"fast"})");
  const PodInfo copy = p;
  p.node_affinity = {};
  EXPECT_TRUE(p.node_affinity->empty());
  EXPECT_EQ(copy.node_affinity->node_selector.get("disk"), "fast");
  EXPECT_FALSE(fits_quick(copy, node("a", "z")));
  EXPECT_TRUE(fits_quick(p, node("a", "z")));
}

TEST(Fit, ReasonsAreUpstreams) {
  const auto reason = [](const PodInfo& p, const NodeState& n) {
    const Misfit misfit = fits(p, n);
    EXPECT_EQ(misfit.fits(), fits_quick(p, n));
    return misfit.reasons.empty() ? "" : misfit.reasons[0];
  };
  const std::string cpu3 = R"("containers":[{"resources":{"requests":{"cpu":"3"}}}])";
  EXPECT_EQ(reason(pod("p", cpu3), node("a", "z")), "Insufficient cpu");
  EXPECT_EQ(reason(pod("p", ""), node("a", "z", R"("unschedulable":true)")),
            "node(s) were unschedulable");
  EXPECT_EQ(reason(pod("p", ""),
                   node("a", "z", R"("taints":[{"key":"k","value":"v","effect":"NoSchedule"}])")),
            "node(s) had untolerated taint {k: v}");
  EXPECT_EQ(reason(pod("p", R"("nodeSelector":{"zone":"other"})"), node("a", "z")),
            "node(s) didn't match Pod's node affinity/selector");
  NodeState busy = node("a", "z");
  const std::string port = R"("containers":[{"ports":[{"hostPort":80}]}])";
  busy.add(shared(pod("x", port)));
  EXPECT_EQ(reason(pod("p", port), busy),
            "node(s) didn't have free ports for the requested pod ports");
  busy.remove("x");
  EXPECT_EQ(reason(pod("p", port), busy), "");
}

TEST(Fit, RequiredAffinityTermsAreAlternatives) {
  const PodInfo p = pod("p", R"("affinity":{"nodeAffinity":{
    "requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[
      {"matchExpressions":[{"key":"zone","operator":"In","values":["x"]}]},
      {"matchFields":[{"key":"metadata.name","operator":"In","values":["b"]}]}]}}})");
  EXPECT_TRUE(fits(p, node("a", "x")).fits());
  EXPECT_TRUE(fits(p, node("b", "y")).fits());
  EXPECT_FALSE(fits(p, node("c", "y")).fits());
}

TEST(Fit, SummaryCountsAndSorts) {
  MisfitSummary summary;
  for (int i = 0; i < 3; ++i) summary.add({{"Insufficient cpu"}, false});
  summary.add({{"node(s) had untolerated taint {k: v}"}, true});
  EXPECT_EQ(summary.message(4),
            "0/4 nodes are available: 1 node(s) had untolerated taint {k: v}, 3 Insufficient cpu. "
            "preemption: 0/4 nodes are available: 3 No preemption victims found for incoming pod, "
            "1 Preemption is not helpful for scheduling.");
  EXPECT_EQ(MisfitSummary().message(0), "no nodes available to schedule pods");
}

const char* const kSpread = R"("topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"zone",
  "whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"a"}}}])";

TEST(Spread, HardConstraintKeepsTheSkew) {
  Topology topology({node("a", "x"), node("b", "y"), node("c", "y")});
  const PodInfo p = pod("p", kSpread);
  topology.place(0, shared(pod("1", kSpread)));
  {
    const auto question = topology.ask(p);
    EXPECT_EQ(question.check(topology.nodes()[0]).reasons,
              std::vector<std::string>{"node(s) didn't match pod topology spread constraints"});
    EXPECT_TRUE(question.allows(topology.nodes()[1]));
  }
  topology.place(2, shared(pod("2", kSpread)));
  EXPECT_TRUE(topology.ask(p).allows(topology.nodes()[0]));
  topology.remove(2, pod("2", kSpread));
  EXPECT_FALSE(topology.ask(p).allows(topology.nodes()[0]));
}

TEST(Spread, AntiAffinityHoldsBothWays) {
  const std::string anti = R"("affinity":{"podAntiAffinity":{
    "requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"kubernetes.io/hostname",
      "labelSelector":{"matchLabels":{"app":"a"}}}]}})";
  Topology topology({node("a", "x"), node("b", "y")});
  topology.place(0, shared(pod("1", anti)));
  EXPECT_EQ(topology.ask(pod("p", anti)).check(topology.nodes()[0]).reasons[0],
            "node(s) didn't match pod anti-affinity rules");
  EXPECT_EQ(topology.ask(pod("p", "")).check(topology.nodes()[0]).reasons[0],
            "node(s) didn't satisfy existing pods anti-affinity rules");
  EXPECT_TRUE(topology.ask(pod("p", anti)).allows(topology.nodes()[1]));
  EXPECT_TRUE(topology.ask(pod("p", "", "other")).allows(topology.nodes()[0]));
}

TEST(Spread, AffinityFoundsItsFirstGroupAndThenStays) {
  const std::string near = R"("affinity":{"podAffinity":{
    "requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"zone",
      "labelSelector":{"matchLabels":{"app":"a"}}}]}})";
  Topology topology({node("a", "x"), node("b", "y")});
  EXPECT_TRUE(topology.ask(pod("p", near)).allows(topology.nodes()[1]));
  EXPECT_FALSE(topology.ask(pod("p", near, "other")).allows(topology.nodes()[1]));
  topology.place(0, shared(pod("1", near)));
  EXPECT_FALSE(topology.ask(pod("p", near)).allows(topology.nodes()[1]));
  EXPECT_TRUE(topology.ask(pod("p", near)).allows(topology.nodes()[0]));
}

}  // namespace
}  // namespace keelway::placement
