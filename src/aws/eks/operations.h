// Every operation of the EKS API. Adding one is a row in the table and a function in a file of its
// group; a row without a function is known by name and refused by name.
#pragma once

#include <span>
#include <string_view>

#include "aws/eks/service.h"

namespace keelway::aws::eks {

struct Row {
  std::string_view name, method, path;  // path: "/clusters/{name}/updates/{updateId}"
  Operation run = nullptr;
};
std::span<const Row> table();

struct Match {
  const Row* row = nullptr;
  std::map<std::string, std::string, std::less<>> labels;
};
// Labels are percent-decoded after the path is split, so an ARN with escaped slashes is one label.
Match find_operation(std::string_view method, std::string_view path);

// clusters.cpp
void create_cluster(ServicePtr service, Invocation invocation, Done done);
void describe_cluster(ServicePtr service, Invocation invocation, Done done);
void list_clusters(ServicePtr service, Invocation invocation, Done done);
void delete_cluster(ServicePtr service, Invocation invocation, Done done);
// cluster_config.cpp
void update_cluster_config(ServicePtr service, Invocation invocation, Done done);
void update_cluster_version(ServicePtr service, Invocation invocation, Done done);
// nodegroups.cpp
void list_nodegroups(ServicePtr service, Invocation invocation, Done done);
// updates.cpp
void list_updates(ServicePtr service, Invocation invocation, Done done);
void describe_update(ServicePtr service, Invocation invocation, Done done);
// tags.cpp
void tag_resource(ServicePtr service, Invocation invocation, Done done);
void untag_resource(ServicePtr service, Invocation invocation, Done done);
void list_tags_for_resource(ServicePtr service, Invocation invocation, Done done);
// versions.cpp
void describe_cluster_versions(ServicePtr service, Invocation invocation, Done done);

}  // namespace keelway::aws::eks
