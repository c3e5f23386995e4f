// What a loop sees: the objects of the resources that it subscribed to, at one revision.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "client/client.h"

namespace keelway::client {

class View {
 public:
  virtual ~View() = default;
  virtual ObjectPtr get(const Resource& r, std::string_view name_space,
                        std::string_view name) const = 0;  // null where absent
  // In (namespace, name) order; an empty namespace lists all.
  virtual std::vector<ObjectPtr> list(const Resource& r,
                                      std::string_view name_space = "") const = 0;
  // Objects whose ownerReferences name the uid, any kind.
  virtual std::vector<std::pair<Resource, ObjectPtr>> owned_by(std::string_view uid) const = 0;
  // Pods with spec.nodeName.
  virtual std::vector<ObjectPtr> pods_on(std::string_view node_name) const = 0;
  // Pods of the namespace that no controller owns, in name order.
  virtual std::vector<ObjectPtr> pods_without_controller(std::string_view name_space) const;
  virtual Revision revision() const = 0;
  virtual bool synced() const = 0;
};

// A View kept by applying change batches, on one executor.
class LocalView final : public View {
 public:
  void apply(const ChangeBatch& batch);

  ObjectPtr get(const Resource& r, std::string_view name_space,
                std::string_view name) const override;
  std::vector<ObjectPtr> list(const Resource& r, std::string_view name_space = "") const override;
  std::vector<std::pair<Resource, ObjectPtr>> owned_by(std::string_view uid) const override;
  std::vector<ObjectPtr> pods_on(std::string_view node_name) const override;
  std::vector<ObjectPtr> pods_without_controller(std::string_view name_space) const override;
  Revision revision() const override { return revision_; }
  bool synced() const override { return synced_; }

 private:
  struct Table {
    Resource resource;
    // "namespace/name" sorts as (namespace, name): '/' is below every name character but '-' and
    // '.', so a NUL separates instead.
    std::map<std::string, ObjectPtr, std::less<>> objects;
  };
  void index(const Table& table, const ObjectPtr& object, bool add);
  const Table* table_of(const Resource& r) const;

  std::map<std::string, Table, std::less<>> tables_;  // by "resource.group"
  std::unordered_map<std::string, std::map<std::string, std::pair<Resource, ObjectPtr>>> owned_;
  std::unordered_map<std::string, std::map<std::string, ObjectPtr>> pods_on_;
  std::unordered_map<std::string, std::map<std::string, ObjectPtr>> uncontrolled_;  // by namespace
  Revision revision_ = 0;
  bool synced_ = false;
};

}  // namespace keelway::client
