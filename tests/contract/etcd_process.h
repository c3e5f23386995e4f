// Real etcd processes for tests: fresh data folders, free ports of the loopback.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace keelway::contract {

struct EtcdSecurity {
  // PEM: what members show, and whose clients they let in. Empty: no TLS.
  std::string authority = {}, certificate = {}, key = {};
  bool signed_tokens = false;  // log-ins are JWTs, which end when users or roles change
};

class EtcdCluster {
 public:
  // Empty: etcd is not installed.
  static std::string program();
  // With `networks` each member has a network namespace of its own, which cut() can take away;
  // that needs root. See networks_refused().
  explicit EtcdCluster(int members, bool networks = false, const EtcdSecurity& security = {});
  static std::string networks_refused();  // why there can be none; empty: there can
  ~EtcdCluster();                         // ends the processes, removes the data
  EtcdCluster(const EtcdCluster&) = delete;

  std::string url(const std::string& prefix) const;  // etcd://...
  int size() const { return static_cast<int>(members_.size()); }
  void kill(int member);   // SIGKILL
  void pause(int member);  // SIGSTOP: as a partition looks, connections stay and are silent
  void resume(int member);
  void start(int member);  // again, on the same data and ports
  void cut(int member);    // packets to and from it are lost
  void mend(int member);
  // One line for a shell of etcdctl's words, once the members answer; whether all went well.
  bool control(const std::string& words) const;
  static bool controllable();  // etcdctl is installed
  int port(int member) const { return members_[static_cast<std::size_t>(member)].client_port; }

 private:
  struct Member {
    int client_port = 0, peer_port = 0;
    pid_t process = -1;
    std::string host = "127.0.0.1";
  };
  std::string name_of(const char* kind, int member) const;
  void make_networks();
  void signal(int member, int number);
  std::string folder_;
  const bool networks_;
  const bool tls_, signed_tokens_;
  int number_ = 0;  // of our networks, among those of other processes
  std::vector<Member> members_;
};

}  // namespace keelway::contract
