// For tests of this room and those above: a view filled from JSON texts.
#pragma once

#include <memory>
#include <string>

#include "client/view.h"
#include "value/json.h"

namespace keelway::access {

class TestView {
 public:
  void put(const client::Resource& resource, const std::string& json) {
    apply(resource, json, false);
  }
  void remove(const client::Resource& resource, const std::string& json) {
    apply(resource, json, true);
  }
  operator const client::View&() const { return view_; }
  const client::View& view() const { return view_; }

 private:
  void apply(const client::Resource& resource, const std::string& json, bool deletion) {
    // Objects are compact JSON, whatever the test finds readable.
    const auto document = value::parse_json(json).value_or(value::Value());
    const auto object = schema::Object::parse(
        std::make_shared<const std::string>(value::to_json(document)), ++revision_);
    client::ChangeBatch batch;
    batch.changes.push_back(deletion ? client::Change{resource, nullptr, object}
                                     : client::Change{resource, object, nullptr});
    batch.revision = revision_;
    batch.synced = true;
    view_.apply(batch);
  }
  client::LocalView view_;
  client::Revision revision_ = 0;
};

}  // namespace keelway::access
