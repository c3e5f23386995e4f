// What a loop sees: the objects of the resources that it subscribed to, at one revision.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/by_text.h"
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

// Orders objects by (namespace, name).
struct ByName {
  using is_transparent = void;
  using Name = std::pair<std::string_view, std::string_view>;
  static Name name(const Object& object) { return {object.name_space(), object.name()}; }
  static Name name(const ObjectPtr& object) { return name(*object); }
  static Name name(const ObjectPtr* object) { return name(**object); }
  static Name name(const Name& name) { return name; }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return name(a) < name(b);
  }
};
using ObjectSet = std::set<ObjectPtr, ByName>;

// A View kept by applying change batches, on one executor.
class LocalView final : public View {
 public:
  LocalView() = default;
  LocalView(LocalView&&) = default;
  LocalView& operator=(LocalView&&) = default;
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
    std::string_view key;  // "resource.group", as in tables_
    ObjectSet objects;
  };
  // Of the indexes, whose pointers live as long as the table has the object.
  struct Owned {
    const Table* table;
    const ObjectPtr* object;  // in the table
    bool operator<(const Owned& other) const;
  };
  using Slots = std::set<const ObjectPtr*, ByName>;
  void index(const Table& table, const ObjectPtr& slot, bool add);
  static bool indexed_alike(const Table& table, const Object& a, const Object& b);
  Table& table_for(const Resource& r);
  const Table* table_of(const Resource& r) const;

  std::map<std::string, Table, std::less<>> tables_;  // by "resource.group"
  base::ByText<std::set<Owned>> owned_;               // by the owner's uid
  base::ByText<Slots> pods_on_;                       // by node
  base::ByText<Slots> uncontrolled_;                  // by namespace
  Revision revision_ = 0;
  bool synced_ = false;
};

}  // namespace keelway::client
