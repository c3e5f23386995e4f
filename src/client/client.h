// The one way to read and write objects. In process the API server implements Client; the remote
// form speaks HTTP to any Kubernetes. A loop sees nothing else of the server.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/object.h"
#include "schema/status.h"

namespace keelway::client {

using Revision = std::int64_t;
using schema::Object;
using schema::ObjectPtr;

// Names a resource: {"apps", "v1", "deployments", "Deployment"}. Well-known ones: resources.h.
struct Resource {
  std::string group, version, resource, kind;
  bool namespaced = true;
  friend bool operator==(const Resource&, const Resource&) = default;
  friend auto operator<=>(const Resource&, const Resource&) = default;
  std::string api_version() const { return group.empty() ? version : group + "/" + version; }
};

enum class Verb { get, list, create, update, patch, remove, remove_collection };

// One request. Bodies are documents; kind and apiVersion may be left out of them.
struct Call {
  Verb verb = Verb::get;
  Resource resource;
  std::string name_space;
  std::string name;
  std::string subresource;  // "status", "scale", "binding", "eviction", "token" ...
  value::Value body;        // also DeleteOptions of a remove
  std::string patch_type;   // content type; patches only
  std::string field_manager;
  bool force = false;  // of an apply
  bool dry_run = false;
  // The answer to a write may be the object's metadata alone, and of that no more than
  // resourceVersion and uid: what loops ask, at a fraction of the cost.
  bool brief = false;
  // list
  std::string label_selector, field_selector;
  std::size_t limit = 0;
  std::string continue_token;
};

struct Reply {
  value::Value object;    // the object, the List or the Status
  Revision revision = 0;  // of the write, or of the snapshot that was read
};
using ReplyCallback = std::move_only_function<void(schema::Answer<Reply>)>;

struct Change {
  Resource resource;
  ObjectPtr object;    // null: deleted
  ObjectPtr previous;  // null: it was not there before
};
struct ChangeBatch {
  std::vector<Change> changes;
  Revision revision = 0;  // everything up to here is included
  bool synced = false;    // the initial state is complete (stays true)
};

// Ends on destruction; nothing is delivered afterwards.
class Subscription {
 public:
  virtual ~Subscription() = default;
};

// Belongs to one executor: calls are made and callbacks come there, never inside the call.
// A callback always comes, unless the client is destroyed first.
class Client {
 public:
  virtual ~Client() = default;
  virtual void call(Call call, ReplyCallback done) = 0;
  // The current state of all the resources, then every change, in batches of whole revisions.
  // Resources of CRDs that are not served yet deliver once they are. A lost feed is made good by
  // the implementation: it delivers the differences.
  virtual std::unique_ptr<Subscription> subscribe(
      std::vector<Resource> resources, std::move_only_function<void(const ChangeBatch&)> sink) = 0;
};

// Builders for the calls that loops make.
Call get_call(const Resource& r, std::string name_space, std::string name);
Call list_call(const Resource& r, std::string name_space = "", std::string label_selector = "");
// Whether there is one at all.
Call list_one_call(const Resource& r, std::string name_space = "", std::string label_selector = "");
Call create_call(const Resource& r, std::string name_space, value::Value body);
// The body carries metadata.name, namespace and resourceVersion.
Call update_call(const Resource& r, value::Value body, std::string subresource = "");
Call merge_patch_call(const Resource& r, std::string name_space, std::string name,
                      value::Value patch, std::string subresource = "");
Call remove_call(const Resource& r, std::string name_space, std::string name,
                 value::Value delete_options = {});
// DeleteOptions with a uid precondition (and a propagation policy where not empty).
value::Value delete_options(std::string_view uid, std::string_view propagation = "");

}  // namespace keelway::client
