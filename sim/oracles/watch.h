// What every feed promises: each object's changes in order, none left out, none told twice, and
// nothing of the past taken back by a restart.
#pragma once

#include <map>
#include <string>

#include "client/view.h"
#include "sim/oracles/oracle.h"

namespace keelway::sim {

class WatchOracle {
 public:
  // The server starts anew: its feeds begin with the whole state.
  void begin_life();
  // Before `view` takes the batch.
  void look(const client::ChangeBatch& batch, const client::LocalView& view);
  const Complaint& complaint() const { return complaint_; }

 private:
  using Earlier = std::map<std::string, client::ObjectPtr>;  // in the same batch
  void look_at(const client::Change& change, const client::LocalView& view, Earlier& earlier);
  void complain(const client::Change& change, const std::string& what);

  client::Revision highest_ = 0;  // of all lives: what was told is on disk
  bool begun_ = false;            // this life has told its whole state
  Complaint complaint_;
};

// Whether `view` holds exactly what a fresh list of the resource holds.
Complaint view_equals_list(const client::View& view, const client::Resource& resource,
                           const value::Value& list);

}  // namespace keelway::sim
