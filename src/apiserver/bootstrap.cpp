#include "apiserver/bootstrap.h"

#include "apiserver/strategy/service.h"
#include "apiserver/verbs/commit.h"
#include "apiserver/verbs/shape.h"
#include "schema/defaults.h"
#include "schema/managed_fields.h"
#include "value/json.h"
#include "watch/keys.h"

namespace keelway::apiserver {
namespace {

constexpr const char* kManager = "kube-apiserver";
// Writes of one transaction: etcd takes 128 operations at most unless it is told otherwise.
constexpr std::size_t kWritesMax = 100;

Value namespace_object(const std::string& name) {
  Value object = Value::object({{"apiVersion", "v1"}, {"kind", "Namespace"}});
  Value& metadata = object.mutate("metadata");
  metadata.set("name", name);
  metadata.set("labels", Value::object({{"kubernetes.io/metadata.name", name}}));
  object.set("spec", Value::object({{"finalizers", Value::array({Value("kubernetes")})}}));
  object.set("status", Value::object({{"phase", "Active"}}));
  return object;
}

std::string first_address(const Core& core) {
  const auto range = parse_service_range(core.config.service_cidr);
  return range ? format_address(range->base + 1) : "";
}

Value own_service(const Core& core) {
  const Value port = Value::object({{"name", "https"},
                                    {"protocol", "TCP"},
                                    {"port", 443},
                                    {"targetPort", int{core.config.endpoint_port}}});
  const std::string address = first_address(core);
  return Value::object(
      {{"apiVersion", "v1"},
       {"kind", "Service"},
       {"metadata", Value::object({{"name", "kubernetes"},
                                   {"namespace", "default"},
                                   {"labels", Value::object({{"component", "apiserver"},
                                                             {"provider", "kubernetes"}})}})},
       {"spec", Value::object({{"type", "ClusterIP"},
                               {"clusterIP", address},
                               {"clusterIPs", Value::array({Value(address)})},
                               {"ipFamilies", Value::array({Value("IPv4")})},
                               {"ipFamilyPolicy", "SingleStack"},
                               {"ports", Value::array({port})}})},
       {"status", Value::object({{"loadBalancer", Value::object()}})}});
}

std::vector<Value> own_objects(const Core& core) {
  std::vector<Value> objects;
  for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    objects.push_back(namespace_object(name));
  }
  if (!core.config.is_hub) objects.push_back(own_service(core));
  return objects;
}

Value condition(const char* type, const char* reason, const char* message, base::WallTime now) {
  return Value::object({{"type", type},
                        {"status", "True"},
                        {"lastTransitionTime", base::format_rfc3339(now)},
                        {"reason", reason},
                        {"message", message}});
}

// A definition of ours is served at once; others wait for the loop that checks their names.
void establish(Value& definition, base::WallTime now) {
  Value status = Value::object();
  status.set("acceptedNames", definition.at("spec", "names"));
  status.set("conditions",
             Value::array({condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
                           condition("Established", "InitialNamesAccepted",
                                     "the initial names have been accepted", now)}));
  Value stored = Value::array();
  for (const Value& version : definition.at("spec", "versions").items()) {
    if (version["storage"].as_bool()) stored.push(version["name"]);
  }
  status.set("storedVersions", std::move(stored));
  definition.set("status", std::move(status));
}

const schema::Kind* kind_of(const Core& core, const Value& object) {
  const std::string& version = object["apiVersion"].as_string();
  const std::size_t slash = version.find('/');
  const std::string group = slash == std::string::npos ? "" : version.substr(0, slash);
  const std::string only = slash == std::string::npos ? version : version.substr(slash + 1);
  return core.kinds()->by_kind(group, only, object["kind"].as_string());
}

void add_object(Core& core, const schema::Kind& kind, Value object,
                store::Transaction& transaction) {
  const std::string name = object.at("metadata", "name").as_string();
  const std::string key = object_key(kind, object.at("metadata", "namespace").as_string(), name);
  if (core.cache.get(key)) return;
  for (const store::Put& put : transaction.puts) {
    if (put.key == key) return;
  }
  const Value status = object["status"];
  start_life(kind, object, core.executor.random(), core.now());
  if (!status.is_null()) object.set("status", status);
  schema::apply_defaults(kind, object);
  if (kind.group == "apiextensions.k8s.io") establish(object, core.now());
  object = schema::track_update(kind, nullptr, std::move(object), {kManager, "", core.now()});
  transaction.compares.push_back({key, 0});
  transaction.puts.push_back(
      {key, std::make_shared<const std::string>(stored_bytes(to_stored(kind, std::move(object)))),
       std::nullopt});
  if (kind.group.empty() && kind.resource == "services") {
    const std::string taken = address_key(first_address(core));
    if (core.cache.get(taken)) return;
    transaction.compares.push_back({taken, 0});
    transaction.puts.push_back({taken,
                                std::make_shared<const std::string>(
                                    R"({"metadata":{"name":"kubernetes","namespace":"default"}})"),
                                std::nullopt});
  }
}

// Stands once the cluster has been given what it is born with, whoever gave it.
std::string birth_key() {
  return watch::store_key("births.keelway.dev", "births", "", "cluster");
}

struct Birth {
  std::vector<Value> objects;
  std::vector<Value> once;
  FencePtr fence;
  std::move_only_function<void(base::Result<void>)> done;
  int rounds_left = 12;
};

// In the transaction that says so, and after the definitions of their kinds.
void add_birth(Core& core, const Birth& birth, store::Transaction& transaction) {
  if (birth.once.empty() || core.cache.get(birth_key())) return;
  for (const Value& object : birth.once) {
    const schema::Kind* kind = kind_of(core, object);
    if (kind == nullptr) return;  // its definition is in this transaction: the next round
    add_object(core, *kind, object, transaction);
  }
  transaction.compares.push_back({birth_key(), 0});
  transaction.puts.push_back(
      {birth_key(), std::make_shared<const std::string>(R"({"metadata":{"name":"cluster"}})"),
       std::nullopt});
}

// Writes every object whose kind is served by now; objects of kinds that this round's definitions
// bring wait for the next.
void write_round(Core& core, std::shared_ptr<Birth> birth) {
  store::Transaction transaction;
  std::vector<Value> later;
  bool full = false;
  for (Value& object : birth->objects) {
    full = transaction.puts.size() >= kWritesMax;
    if (full) break;
    if (const schema::Kind* kind = kind_of(core, object)) {
      add_object(core, *kind, object, transaction);
    } else {
      later.push_back(object);
    }
  }
  if (later.empty() && !full) add_birth(core, *birth, transaction);
  const bool none = transaction.puts.empty();
  if (none && !later.empty()) {
    for (const Value& object : later) {
      core.config.log.error("bootstrap object of a kind that is not served",
                            {{"kind", object["kind"].as_string()},
                             {"name", object.at("metadata", "name").as_string()}});
    }
  }
  if (none) return birth->done({});
  if (--birth->rounds_left == 0) {
    return birth->done(base::fail(base::ErrorCode::conflict,
                                  "the first objects of the cluster could not be written: another "
                                  "server keeps changing them; start again"));
  }
  commit(core, birth->fence, std::move(transaction), [&core, birth](Answer<Committed> committed) {
    if (!committed) {
      return birth->done(base::fail(base::ErrorCode::unavailable, committed.error().message));
    }
    write_round(core, birth);  // what is there by now is skipped
  });
}

}  // namespace

bool is_founded(const Core& core) {
  return core.cache.get(watch::store_key("", "namespaces", "", "kube-system")) != nullptr;
}

void write_bootstrap(Core& core, Foundation foundation, FencePtr fence,
                     std::move_only_function<void(base::Result<void>)> done) {
  auto birth = std::make_shared<Birth>();
  birth->objects = own_objects(core);
  for (Value& object : foundation.bootstrap) birth->objects.push_back(std::move(object));
  birth->once = std::move(foundation.birth);
  birth->fence = std::move(fence);
  birth->done = std::move(done);
  write_round(core, std::move(birth));
}

}  // namespace keelway::apiserver
