#include "admission/admission.h"

#include <gtest/gtest.h>

#include "access/test_view.h"
#include "client/resources.h"
#include "value/json.h"

namespace keelway::admission {
namespace {

using value::Value;
namespace resources = client::resources;

Value json(std::string_view text) {
  auto parsed = value::parse_json(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : Value();
}

class AdmissionTest : public ::testing::Test {
 protected:
  AdmissionTest() {
    view_.put(resources::namespaces, R"({"metadata":{"name":"ns"}})");
    view_.put(resources::namespaces,
              R"({"metadata":{"name":"going","deletionTimestamp":"2026-01-01T00:00:00Z"}})");
    view_.put(resources::service_accounts,
              R"({"metadata":{"namespace":"ns","name":"default"},
                 "imagePullSecrets":[{"name":"registry"}]})");
  }
  schema::Answer<void> admit(Request& request) {
    return chain_.admit(request, {view_, random_, base::WallTime{}});
  }
  static Request pod(std::string_view spec, std::string_view metadata = R"({"name":"p"})") {
    Request request;
    request.resource = resources::pods;
    request.name_space = "ns";
    request.object = Value::object({{"metadata", json(metadata)}, {"spec", json(spec)}});
    request.name = request.object.at("metadata", "name").as_string();
    return request;
  }
  static Request of(const client::Resource& resource, Operation operation, std::string name,
                    std::string_view object, std::string name_space = "") {
    Request request;
    request.operation = operation;
    request.resource = resource;
    request.name = std::move(name);
    request.name_space = std::move(name_space);
    if (!object.empty()) request.object = json(object);
    return request;
  }
  void expect_refused(Request request, std::string_view message, int code = 403) {
    const auto answer = admit(request);
    ASSERT_FALSE(answer) << message;
    EXPECT_EQ(answer.error().code, code);
    EXPECT_EQ(answer.error().message, message);
  }

  access::TestView view_;
  base::Random random_{1};
  Chain chain_ = default_chain();
};

constexpr const char* one_container = R"({"containers":[{"name":"c","image":"i"}]})";

TEST_F(AdmissionTest, NamespaceMustBeThereAndStay) {
  Request request = pod(one_container);
  request.name_space = "nope";
  expect_refused(request, "namespaces \"nope\" not found", 404);
  request.name_space = "going";
  const auto answer = admit(request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message,
            "pods \"p\" is forbidden: unable to create new content in namespace going because it "
            "is being terminated");
  ASSERT_EQ(answer.error().causes.size(), 1u);
  EXPECT_EQ(answer.error().causes[0].reason, "NamespaceTerminating");
  EXPECT_EQ(answer.error().causes[0].field, "metadata.namespace");
  request.operation = Operation::remove;
  EXPECT_TRUE(admit(request));
}

TEST_F(AdmissionTest, ThreeNamespacesNeverGo) {
  for (const char* name : {"default", "kube-system", "kube-public"}) {
    expect_refused(
        of(resources::namespaces, Operation::remove, name, ""),
        std::string("namespaces \"") + name + "\" is forbidden: this namespace may not be deleted");
  }
  Request other = of(resources::namespaces, Operation::remove, "ns", "");
  EXPECT_TRUE(admit(other));
}

TEST_F(AdmissionTest, PodGetsAccountTokenTolerationsAndPriority) {
  Request request = pod(one_container);
  ASSERT_TRUE(admit(request));
  const Value& spec = request.object["spec"];
  EXPECT_EQ(spec["serviceAccountName"].as_string(), "default");
  EXPECT_EQ(spec["serviceAccount"].as_string(), "default");
  const std::string volume = spec["volumes"][0]["name"].as_string();
  EXPECT_TRUE(volume.starts_with("kube-api-access-") && volume.size() == 21) << volume;
  EXPECT_EQ(value::to_json(spec["volumes"][0]["projected"]),
            R"({"defaultMode":420,"sources":[{"serviceAccountToken":{"expirationSeconds":3607,)"
            R"("path":"token"}},{"configMap":{"items":[{"key":"ca.crt","path":"ca.crt"}],)"
            R"("name":"kube-root-ca.crt"}},{"downwardAPI":{"items":[{"fieldRef":{"apiVersion":)"
            R"("v1","fieldPath":"metadata.namespace"},"path":"namespace"}]}}]})");
  EXPECT_EQ(value::to_json(spec["containers"][0]["volumeMounts"]),
            R"([{"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount","name":")" + volume +
                R"(","readOnly":true}])");
  EXPECT_EQ(spec["imagePullSecrets"][0]["name"].as_string(), "registry");
  EXPECT_EQ(spec["tolerations"].size(), 2u);
  EXPECT_EQ(spec["tolerations"][0]["tolerationSeconds"].as_int(), 300);
  EXPECT_EQ(spec["priority"].as_int(-1), 0);
  EXPECT_EQ(spec["preemptionPolicy"].as_string(), "PreemptLowerPriority");
}

TEST_F(AdmissionTest, TokenIsNotMountedWhenUnwantedOrThere) {
  Request request = pod(R"({"automountServiceAccountToken":false,"containers":[{"name":"c"}]})");
  ASSERT_TRUE(admit(request));
  EXPECT_TRUE(request.object.at("spec", "volumes").empty());
  request = pod(R"({"containers":[{"name":"c","volumeMounts":[{"name":"own",
      "mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}]}]})");
  ASSERT_TRUE(admit(request));
  EXPECT_TRUE(request.object.at("spec", "volumes").empty());
  view_.put(resources::service_accounts, R"({"metadata":{"namespace":"ns","name":"quiet"},
      "automountServiceAccountToken":false})");
  request = pod(R"({"serviceAccountName":"quiet","containers":[{"name":"c"}]})");
  ASSERT_TRUE(admit(request));
  EXPECT_TRUE(request.object.at("spec", "volumes").empty());
}

TEST_F(AdmissionTest, AccountMustExist) {
  expect_refused(pod(R"({"serviceAccountName":"robot","containers":[]})"),
                 "pods \"p\" is forbidden: error looking up service account ns/robot: "
                 "serviceaccount \"robot\" not found");
  expect_refused(
      pod(R"({"serviceAccountName":"robot","containers":[]})", R"({"generateName":"web-"})"),
      "pods \"web-\" is forbidden: error looking up service account ns/robot: "
      "serviceaccount \"robot\" not found");
}

TEST_F(AdmissionTest, OwnTolerationsStand) {
  Request request = pod(R"({"containers":[],"tolerations":[{"operator":"Exists"}]})");
  ASSERT_TRUE(admit(request));
  EXPECT_EQ(request.object.at("spec", "tolerations").size(), 1u);
}

TEST_F(AdmissionTest, PriorityComesFromClasses) {
  view_.put(resources::priority_classes,
            R"({"metadata":{"name":"high"},"value":7,"preemptionPolicy":"Never"})");
  Request request = pod(R"({"priorityClassName":"high","containers":[]})");
  ASSERT_TRUE(admit(request));
  EXPECT_EQ(request.object.at("spec", "priority").as_int(), 7);
  EXPECT_EQ(request.object.at("spec", "preemptionPolicy").as_string(), "Never");
  request = pod(R"({"priorityClassName":"system-node-critical","containers":[]})");
  ASSERT_TRUE(admit(request));
  EXPECT_EQ(request.object.at("spec", "priority").as_int(), 2'000'001'000);
  expect_refused(pod(R"({"priorityClassName":"x","containers":[]})"),
                 "pods \"p\" is forbidden: no PriorityClass with name x was found");
  expect_refused(pod(R"({"priority":5,"containers":[]})"),
                 "pods \"p\" is forbidden: the integer value of priority (5) must not be provided "
                 "in pod spec; priority admission controller computed 0 from the given "
                 "PriorityClass name");
  view_.put(resources::priority_classes,
            R"({"metadata":{"name":"usual"},"value":3,"globalDefault":true})");
  request = pod(one_container);
  ASSERT_TRUE(admit(request));
  EXPECT_EQ(request.object.at("spec", "priorityClassName").as_string(), "usual");
  EXPECT_EQ(request.object.at("spec", "priority").as_int(), 3);
  expect_refused(
      of(resources::priority_classes, Operation::create, "second",
         R"({"metadata":{"name":"second"},"value":1,"globalDefault":true})"),
      "priorityclasses.scheduling.k8s.io \"second\" is forbidden: PriorityClass usual is "
      "already marked as default. Only one default can exist");
}

TEST_F(AdmissionTest, NewNodesAreTainted) {
  Request request = of(resources::nodes, Operation::create, "n", R"({"metadata":{"name":"n"}})");
  ASSERT_TRUE(admit(request));
  ASSERT_TRUE(admit(request));  // once only
  EXPECT_EQ(value::to_json(request.object.at("spec", "taints")),
            R"([{"effect":"NoSchedule","key":"node.kubernetes.io/not-ready"}])");
}

TEST_F(AdmissionTest, OverheadNeedsItsClass) {
  expect_refused(pod(R"({"overhead":{"cpu":"1"},"containers":[]})"),
                 "pods \"p\" is forbidden: pod rejected: Pod Overhead set without corresponding "
                 "RuntimeClass defined Overhead");
  expect_refused(pod(R"({"runtimeClassName":"kata","containers":[]})"),
                 "pods \"p\" is forbidden: pod rejected: RuntimeClass \"kata\" not found");
}

TEST_F(AdmissionTest, NodesKeepToThemselves) {
  const access::Identity n1{"system:node:n1", "", {"system:nodes"}, {}};
  const Value before = json(R"({"metadata":{"name":"n1","labels":{"a":"b"}},"spec":{}})");
  const auto update = [&](std::string name, std::string_view object) {
    Request request = of(resources::nodes, Operation::update, std::move(name), object);
    request.old = &before;
    request.identity = &n1;
    return request;
  };
  Request good = update("n1", R"({"metadata":{"name":"n1","labels":
      {"a":"c","kubernetes.io/os":"linux","node.kubernetes.io/x":"y"}},"spec":{}})");
  EXPECT_TRUE(admit(good));
  expect_refused(update("n2", R"({"metadata":{"name":"n2"}})"),
                 "nodes \"n2\" is forbidden: node \"n1\" is not allowed to modify node \"n2\"");
  expect_refused(update("n1", R"({"metadata":{"name":"n1","labels":
      {"a":"b","node-restriction.kubernetes.io/t":"1"}},"spec":{}})"),
                 "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify labels: "
                 "node-restriction.kubernetes.io/t");
  expect_refused(update("n1", R"({"metadata":{"name":"n1","labels":{"a":"b"}},
      "spec":{"taints":[{"key":"x"}]}})"),
                 "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify taints");
  Request lease = of(resources::leases, Operation::update, "n2", R"({"metadata":{"name":"n2"}})",
                     "kube-node-lease");
  view_.put(resources::namespaces, R"({"metadata":{"name":"kube-node-lease"}})");
  lease.identity = &n1;
  expect_refused(lease,
                 "leases.coordination.k8s.io \"n2\" is forbidden: can only access node lease with "
                 "the same name as the requesting node");
}

TEST_F(AdmissionTest, NodesWritePodsBoundToThem) {
  const access::Identity n1{"system:node:n1", "", {"system:nodes"}, {}};
  const Value other = json(R"({"metadata":{"name":"p"},"spec":{"nodeName":"n2"}})");
  const Value own = json(R"({"metadata":{"name":"p"},"spec":{"nodeName":"n1"}})");
  Request status = of(resources::pods, Operation::update, "p",
                      R"({"metadata":{"name":"p"},"spec":{"nodeName":"n1"}})", "ns");
  status.subresource = "status";
  status.identity = &n1;
  status.old = &own;
  EXPECT_TRUE(admit(status));
  status.old = &other;
  expect_refused(status,
                 "pods \"p\" is forbidden: node \"n1\" can only update pod status for pods with "
                 "spec.nodeName set to itself");
  Request token = of(resources::service_accounts, Operation::create, "sa",
                     R"({"spec":{"boundObjectRef":{"kind":"Pod","name":"p","uid":"u"}}})", "ns");
  token.subresource = "token";
  token.identity = &n1;
  view_.put(resources::pods,
            R"({"metadata":{"namespace":"ns","name":"p","uid":"u"},"spec":{"nodeName":"n2"}})");
  expect_refused(token,
                 "serviceaccounts \"sa\" is forbidden: node requested token bound to a pod "
                 "scheduled on a different node");
  Request make = pod(one_container);
  make.identity = &n1;
  EXPECT_FALSE(admit(make));
}

// A mirror pod that could lead its node to somebody's secret.
TEST_F(AdmissionTest, MirrorPodsReferToNothing) {
  const access::Identity n1{"system:node:n1", "", {"system:nodes"}, {}};
  view_.put(resources::nodes, R"({"metadata":{"name":"n1","uid":"u1"}})");
  const auto mirror = [&](std::string_view spec, std::string_view owner) {
    Request request =
        pod(std::string(R"({"nodeName":"n1","containers":[{"name":"c","image":"i"}])") +
                std::string(spec) + "}",
            R"({"name":"p","annotations":{"kubernetes.io/config.mirror":"x"},"ownerReferences":[)" +
                std::string(owner) + "]}");
    request.identity = &n1;
    return request;
  };
  const std::string own =
      R"({"apiVersion":"v1","kind":"Node","name":"n1","uid":"u1","controller":true})";
  Request good = mirror(R"(,"volumes":[{"name":"v","hostPath":{"path":"/x"}}])", own);
  EXPECT_TRUE(admit(good));
  const std::string head =
      "pods \"p\" is forbidden: node \"n1\" can not create pods that reference ";
  expect_refused(mirror(R"(,"imagePullSecrets":[{"name":"s"}])", own), head + "secrets");
  expect_refused(
      mirror(R"(,"initContainers":[{"name":"i","envFrom":[{"secretRef":{"name":"s"}}]}])", own),
      head + "secrets");
  expect_refused(
      mirror(R"(,"volumes":[{"name":"v","projected":{"sources":[{"secret":{"name":"s"}}]}}])", own),
      head + "secrets");
  expect_refused(
      mirror(
          R"(,"volumes":[{"name":"v","csi":{"driver":"d","nodePublishSecretRef":{"name":"s"}}}])",
          own),
      head + "secrets");
  expect_refused(mirror(R"(,"volumes":[{"name":"v","configMap":{"name":"c"}}])", own),
                 head + "configmaps");
  expect_refused(
      mirror(R"(,"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}])", own),
      head + "persistentvolumeclaims");
  expect_refused(mirror(R"(,"serviceAccountName":"default")", own),
                 "pods \"p\" is forbidden: a mirror pod may not reference service accounts");
  expect_refused(
      mirror("", ""),
      "pods \"p\" is forbidden: node \"n1\" can only create pods with an owner reference "
      "set to itself");
  expect_refused(
      mirror("", R"({"apiVersion":"v1","kind":"Node","name":"n1","uid":"old","controller":true})"),
      "pods \"p\" is forbidden: node n1 UID mismatch: expected old got u1");
}

TEST_F(AdmissionTest, NodesReportOnlyWhatAVolumeHolds) {
  const access::Identity n1{"system:node:n1", "", {"system:nodes"}, {}};
  const Value before = json(R"({"metadata":{"name":"c"},"spec":{"volumeName":"v"},"status":{}})");
  Request status = of({"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true},
                      Operation::update, "c",
                      R"({"metadata":{"name":"c"},"spec":{"volumeName":"v"},
             "status":{"capacity":{"storage":"1Gi"}}})",
                      "ns");
  status.identity = &n1;
  status.old = &before;
  status.subresource = "status";
  EXPECT_TRUE(admit(status));
  status.object.mutate("metadata", "labels").set("a", "b");
  expect_refused(status,
                 "persistentvolumeclaims \"c\" is forbidden: node \"n1\" is not allowed to update "
                 "fields other than status.capacity and status.conditions");
}

TEST_F(AdmissionTest, HubRunsNoServiceAccounts) {
  Options options;
  options.service_accounts = false;
  const Chain hub = default_chain(options);
  Request request = pod(R"({"serviceAccountName":"robot","containers":[]})");
  EXPECT_TRUE(hub.admit(request, {view_, random_, base::WallTime{}}));
}

}  // namespace
}  // namespace keelway::admission
