// What each remote command does. All print to stdout and answer an error for people.
#pragma once

#include <string>

#include "cli/context.h"
#include "runtime/runtime.h"

namespace keelway::cli {

struct Session {
  runtime::Runtime& runtime;
  Context context;
  std::string data_folder;  // absolute
  bool json = false;        // -o json
};

struct NewCluster {
  std::string name;
  std::string version;  // empty: the server's default
  bool wait = true;
};

base::Result<void> create_cluster(const Session& session, const NewCluster& wanted);
base::Result<void> list_clusters(const Session& session);
base::Result<void> delete_cluster(const Session& session, const std::string& name, bool wait);
// Nodes with their types and hourly cost, and the sum.
base::Result<void> list_nodes(const Session& session, const std::string& cluster);
// An ExecCredential, as kubectl's exec plugins print it.
base::Result<void> print_token(const Session& session, const std::string& cluster);
// A kubeconfig whose user runs `PROGRAM cluster token`. `file` empty: stdout.
base::Result<void> print_kubeconfig(const Session& session, const std::string& cluster,
                                    const std::string& program, const std::string& file);

base::Result<void> create_key(const Session& session, const std::string& account,
                              const std::string& user);
base::Result<void> list_keys(const Session& session);
base::Result<void> delete_key(const Session& session, const std::string& access_key_id);

}  // namespace keelway::cli
