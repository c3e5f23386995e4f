#include "kinds/printers/printers.h"

#include <gtest/gtest.h>

#include "kinds/catalog.h"
#include "kinds/events.h"
#include "value/json.h"

namespace keelway::kinds {
namespace {

using value::Value;

const base::WallTime now = *base::parse_rfc3339("2026-01-02T00:10:00Z");

std::string row(std::string_view group, std::string_view kind, const std::string& json) {
  const auto kinds = catalog(33);
  const schema::Kind* found = kinds->by_kind(group, "v1", kind);
  const auto object = value::parse_json(json);
  if (found == nullptr || found->hooks->print == nullptr || !object) return "broken test";
  value::Array cells = found->hooks->print(*found, *object, now);
  EXPECT_EQ(cells.size(), found->columns.size());
  std::string out;
  for (const Value& cell : cells) {
    out += (out.empty() ? "" : "|") + (cell.is_string() ? cell.as_string() : value::to_json(cell));
  }
  return out;
}

std::string pod_row(const std::string& spec, const std::string& status,
                    const std::string& metadata = "") {
  return row("", "Pod",
             R"({"metadata":{"name":"p","creationTimestamp":"2026-01-02T00:00:00Z")" + metadata +
                 R"(},"spec":)" + spec + R"(,"status":)" + status + "}");
}

constexpr const char* one = R"({"containers":[{"name":"a"}]})";

TEST(Printers, EveryKindWithColumnsPrintsThatManyCells) {
  for (const auto& kinds : {catalog(33), hub_catalog()}) {
    for (const schema::Kind* kind : kinds->all()) {
      if (kind->columns.empty()) continue;
      ASSERT_NE(kind->hooks->print, nullptr) << kind->kind;
      EXPECT_EQ(kind->hooks->print(*kind, Value::object(), now).size(), kind->columns.size())
          << kind->kind;
    }
  }
}

TEST(Printers, RunningPod) {
  EXPECT_EQ(pod_row(R"({"containers":[{"name":"a"},{"name":"b"}],"nodeName":"n"})",
                    R"({"phase":"Running","podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}],
                        "containerStatuses":[
                          {"name":"a","ready":true,"restartCount":0,"state":{"running":{}}},
                          {"name":"b","ready":false,"restartCount":2,"state":{"running":{}},
                           "lastState":{"terminated":{"finishedAt":"2026-01-02T00:05:00Z"}}}]})"),
            "p|1/2|Running|2 (5m ago)|10m|10.0.0.1|n|<none>|<none>");
}

TEST(Printers, PodWaitsEndsAndGoes) {
  EXPECT_EQ(pod_row(one, R"({"phase":"Pending"})"),
            "p|0/1|Pending|0|10m|<none>|<none>|<none>|<none>");
  EXPECT_EQ(pod_row(one, R"({"phase":"Running","containerStatuses":[{"name":"a","restartCount":1,
                            "state":{"waiting":{"reason":"CrashLoopBackOff"}}}]})"),
            "p|0/1|CrashLoopBackOff|1|10m|<none>|<none>|<none>|<none>");
  EXPECT_EQ(pod_row(one, R"({"phase":"Failed","containerStatuses":[{"name":"a",
                            "state":{"terminated":{"exitCode":3}}}]})"),
            "p|0/1|ExitCode:3|0|10m|<none>|<none>|<none>|<none>");
  EXPECT_EQ(
      pod_row(one, R"({"phase":"Running"})", R"(,"deletionTimestamp":"2026-01-02T00:09:00Z")"),
      "p|0/1|Terminating|0|10m|<none>|<none>|<none>|<none>");
  EXPECT_EQ(pod_row(one, R"({"phase":"Pending","conditions":[{"type":"PodScheduled",
                            "status":"False","reason":"SchedulingGated"}]})"),
            "p|0/1|SchedulingGated|0|10m|<none>|<none>|<none>|<none>");
}

TEST(Printers, InitContainersHoldPodsBackAndSidecarsCount) {
  const char* spec = R"({"containers":[{"name":"a"}],"initContainers":[{"name":"i"},
                         {"name":"s","restartPolicy":"Always"}]})";
  EXPECT_EQ(pod_row(spec, R"({"phase":"Pending","initContainerStatuses":[
                              {"name":"i","state":{"running":{}}},
                              {"name":"s","state":{"waiting":{"reason":"PodInitializing"}}}]})"),
            "p|0/2|Init:0/2|0|10m|<none>|<none>|<none>|<none>");
  EXPECT_EQ(pod_row(spec, R"({"phase":"Running","initContainerStatuses":[
                              {"name":"i","restartCount":4,"state":{"terminated":{"exitCode":0}}},
                              {"name":"s","started":true,"ready":true,"restartCount":1,
                               "state":{"running":{}}}],
                              "containerStatuses":[{"name":"a","ready":true,
                               "state":{"running":{}}}]})"),
            "p|2/2|Running|1|10m|<none>|<none>|<none>|<none>");
}

TEST(Printers, CompletedContainerDoesNotHideARunningOne) {
  EXPECT_EQ(pod_row(R"({"containers":[{"name":"a"},{"name":"b"}]})",
                    R"({"phase":"Running","containerStatuses":[
                        {"name":"a","state":{"terminated":{"exitCode":0,"reason":"Completed"}}},
                        {"name":"b","ready":true,"state":{"running":{}}}]})"),
            "p|1/2|NotReady|0|10m|<none>|<none>|<none>|<none>");
}

TEST(Printers, Node) {
  EXPECT_EQ(row("", "Node",
                R"({"metadata":{"name":"n","labels":{"node-role.kubernetes.io/worker":""}},
                    "spec":{"unschedulable":true},
                    "status":{"conditions":[{"type":"Ready","status":"True"}],
                    "addresses":[{"type":"InternalIP","address":"10.0.0.7"}],
                    "nodeInfo":{"kubeletVersion":"v1.33.0","osImage":"Linux"}}})"),
            "n|Ready,SchedulingDisabled|worker|<unknown>|v1.33.0|10.0.0.7|<none>|Linux|<unknown>|"
            "<unknown>");
}

TEST(Printers, Services) {
  EXPECT_EQ(row("", "Service",
                R"({"metadata":{"name":"s"},"spec":{"type":"LoadBalancer",
                    "clusterIPs":["10.1.0.1"],"selector":{"b":"2","a":"1"},
                    "ports":[{"port":80,"nodePort":30080,"protocol":"TCP"}]}})"),
            "s|LoadBalancer|10.1.0.1|<pending>|80:30080/TCP|<unknown>|a=1,b=2");
  EXPECT_EQ(row("", "Service", R"({"metadata":{"name":"s"},"spec":{"type":"ExternalName",
                                   "externalName":"x.example"}})"),
            "s|ExternalName|<none>|x.example|<none>|<unknown>|<none>");
}

TEST(Printers, PodTemplate) {
  EXPECT_EQ(row("", "PodTemplate", R"({"metadata":{"name":"t"},"template":{
                  "metadata":{"labels":{"app":"web","tier":"front"}},
                  "spec":{"containers":[{"name":"a","image":"i"},{"name":"b","image":"j"}]}}})"),
            "t|a,b|i,j|app=web,tier=front");
  EXPECT_EQ(row("", "PodTemplate", R"({"metadata":{"name":"t"},"template":{
                  "spec":{"containers":[{"name":"a","image":"i"}]}}})"),
            "t|a|i|<none>");
}

TEST(Printers, Deployment) {
  EXPECT_EQ(row("apps", "Deployment",
                R"({"metadata":{"name":"d"},"spec":{"replicas":3,
                    "selector":{"matchLabels":{"app":"x"},"matchExpressions":[
                      {"key":"a","operator":"In","values":["2","1"]}]},
                    "template":{"spec":{"containers":[{"name":"c","image":"i"}]}}},
                    "status":{"readyReplicas":1,"updatedReplicas":2,"availableReplicas":1}})"),
            "d|1/3|2|1|<unknown>|c|i|a in (1,2),app=x");
}

TEST(Printers, EventsOfBothGroupsPrintAlike) {
  const auto core = *value::parse_json(
      R"({"apiVersion":"v1","kind":"Event","metadata":{"name":"e"},"type":"Normal","reason":"R",
          "involvedObject":{"kind":"Pod","name":"p"},"message":" m\n",
          "source":{"component":"c","host":"h"},"lastTimestamp":"2026-01-02T00:09:50Z"})");
  const std::string expected = "10s|Normal|R|pod/p||c, h|m|<unknown>|1|e";
  EXPECT_EQ(row("", "Event", value::to_json(core)), expected);
  EXPECT_EQ(row("events.k8s.io", "Event", value::to_json(to_regarding_event(core))), expected);
  EXPECT_EQ(to_core_event(to_regarding_event(core)), core);
}

}  // namespace
}  // namespace keelway::kinds
