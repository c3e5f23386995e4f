// Update objects: the record of one change of a cluster, which carries it until it is made. One is
// made after its change has been applied, so an Update without a status of its own was successful;
// only a change of version takes the fleet some time.
#pragma once

#include "aws/eks/service.h"

namespace keelway::aws::eks {

struct UpdateRecord {
  std::string type;                             // "LoggingUpdate"
  value::Value params = value::Value::array();  // of {type, value}
  std::string client_request_token, request_digest;
};

// The update that an earlier request with this token made; null where there is none.
// Errors: the token came with other input then.
Outcome<value::Value> find_repeated(const Service& service, const Caller& caller,
                                    std::string_view cluster_object, const UpdateRecord& record);
// The Update object that a record becomes, drawn now.
value::Value update_object(const Service& service, const value::Value& cluster,
                           const UpdateRecord& record);
// Creates it and answers {"update": ...}, InProgress. One that is there already is the same one.
void keep_update(const ServicePtr& service, const Caller& caller, value::Value object, Done done);

}  // namespace keelway::aws::eks
