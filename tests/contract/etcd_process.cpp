#include "contract/etcd_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace keelway::contract {
namespace {

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

bool run(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

}  // namespace

std::string EtcdCluster::program() {
  for (const char* path : {"/usr/bin/etcd", "/usr/local/bin/etcd"}) {
    if (access(path, X_OK) == 0) return path;
  }
  return {};
}

std::string EtcdCluster::networks_refused() {
  if (geteuid() != 0) return "network namespaces need root";
  const std::string name = "kwprobe" + std::to_string(getpid());
  const bool can = run("ip netns add " + name) && run("ip link add " + name + " type bridge");
  run("ip link del " + name);
  run("ip netns del " + name);
  return can ? "" : "network namespaces are not permitted here, or iproute2 is not installed";
}

std::string EtcdCluster::name_of(const char* kind, int member) const {
  return std::string("kw") + kind + std::to_string(number_) + "-" + std::to_string(member);
}

// A bridge, and a pair of interfaces into the namespace of each member.
void EtcdCluster::make_networks() {
  number_ = 1 + getpid() % 250;
  const std::string bridge = name_of("br", 0);
  const std::string subnet = "10.231." + std::to_string(number_) + ".";
  run("ip link add " + bridge + " type bridge");
  run("ip addr add " + subnet + "1/24 dev " + bridge);
  run("ip link set " + bridge + " up");
  for (int i = 0; i < size(); ++i) {
    Member& member = members_[static_cast<std::size_t>(i)];
    member.host = subnet + std::to_string(10 + i);
    const std::string space = name_of("ns", i), pair = name_of("v", i);
    const std::string inside = "ip netns exec " + space + " ip ";
    run("ip netns add " + space);
    run("ip link add " + pair + " type veth peer name eth0 netns " + space);
    run("ip link set " + pair + " master " + bridge + " up");
    run(inside + "addr add " + member.host + "/24 dev eth0");
    run(inside + "link set eth0 up");
    run(inside + "link set lo up");
  }
}

void EtcdCluster::cut(int member) {
  EXPECT_TRUE(run("ip link set " + name_of("v", member) + " down"));
}
void EtcdCluster::mend(int member) {
  EXPECT_TRUE(run("ip link set " + name_of("v", member) + " up"));
}

EtcdCluster::EtcdCluster(int members, bool networks, const EtcdSecurity& security)
    : networks_(networks),
      tls_(!security.authority.empty()),
      signed_tokens_(security.signed_tokens) {
  std::string pattern = (std::filesystem::temp_directory_path() / "keelway-etcd-XXXXXX").string();
  folder_ = mkdtemp(pattern.data());
  std::ofstream(folder_ + "/authority.pem") << security.authority;
  std::ofstream(folder_ + "/certificate.pem") << security.certificate;
  std::ofstream(folder_ + "/key.pem") << security.key;
  std::ofstream(folder_ + "/tokens.key") << std::string(32, 'k');
  for (int i = 0; i < members; ++i) members_.push_back({free_port(), free_port()});
  if (networks_) make_networks();
  for (int i = 0; i < members; ++i) start(i);
}

EtcdCluster::~EtcdCluster() {
  for (int i = 0; i < size(); ++i) {
    if (members_[static_cast<std::size_t>(i)].process > 0) kill(i);
  }
  std::filesystem::remove_all(folder_);
  if (!networks_) return;
  for (int i = 0; i < size(); ++i) {
    run("ip link del " + name_of("v", i));
    run("ip netns del " + name_of("ns", i));
  }
  run("ip link del " + name_of("br", 0));
}

std::string EtcdCluster::url(const std::string& prefix) const {
  std::string url = "etcd://";
  for (const Member& member : members_) {
    if (!url.ends_with('/')) url += ',';
    url += member.host + ":" + std::to_string(member.client_port);
  }
  return url + prefix;
}

void EtcdCluster::start(int index) {
  Member& member = members_[static_cast<std::size_t>(index)];
  const auto at = [](const Member& m, int port) {
    return "http://" + m.host + ":" + std::to_string(port);
  };
  std::string peers;
  for (int i = 0; i < size(); ++i) {
    const Member& peer = members_[static_cast<std::size_t>(i)];
    peers += (i > 0 ? ",m" : "m") + std::to_string(i) + "=" + at(peer, peer.peer_port);
  }
  const std::string name = "m" + std::to_string(index);
  std::string clients = at(member, member.client_port);
  if (tls_) clients.insert(4, "s");
  std::vector<std::string> words;
  if (networks_) words = {"/usr/sbin/ip", "netns", "exec", name_of("ns", index)};
  words.insert(words.end(),
               {program(), "--name", name, "--data-dir", folder_ + "/" + name,
                "--listen-client-urls", clients, "--advertise-client-urls", clients,
                "--listen-peer-urls", at(member, member.peer_port), "--initial-advertise-peer-urls",
                at(member, member.peer_port), "--initial-cluster", peers, "--logger", "zap",
                // Quick elections; what is tested is not etcd's own disk.
                "--heartbeat-interval", "50", "--election-timeout", "500", "--unsafe-no-fsync"});
  if (tls_) {
    words.insert(words.end(),
                 {"--cert-file", folder_ + "/certificate.pem", "--key-file", folder_ + "/key.pem",
                  "--trusted-ca-file", folder_ + "/authority.pem", "--client-cert-auth",
                  // It would be a client of its own member, without a certificate for that.
                  "--enable-grpc-gateway=false"});
  }
  if (signed_tokens_) {
    words.insert(words.end(), {"--auth-token", "jwt,sign-method=HS256,ttl=10m,priv-key=" + folder_ +
                                                   "/tokens.key"});
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string log = folder_ + "/" + name + ".log";
  member.process = fork();
  if (member.process != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(out, 1);
  dup2(out, 2);
  execv(arguments[0], arguments.data());
  _exit(127);
}

bool EtcdCluster::controllable() {
  return run("etcdctl version");
}

bool EtcdCluster::control(const std::string& words) const {
  const Member& member = members_.front();
  return run("ETCDCTL_API=3 etcdctl --dial-timeout=20s --command-timeout=20s --endpoints=" +
             member.host + ":" + std::to_string(member.client_port) + " " + words);
}

void EtcdCluster::signal(int index, int number) {
  ::kill(members_[static_cast<std::size_t>(index)].process, number);
}

void EtcdCluster::kill(int index) {
  signal(index, SIGKILL);
  waitpid(members_[static_cast<std::size_t>(index)].process, nullptr, 0);
  members_[static_cast<std::size_t>(index)].process = -1;
}

void EtcdCluster::pause(int index) {
  signal(index, SIGSTOP);
}
void EtcdCluster::resume(int index) {
  signal(index, SIGCONT);
}

}  // namespace keelway::contract
