// The command line: every verb, its options and its help.
#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "app/limits.h"
#include "app/up.h"
#include "app/upkeep.h"
#include "base/host.h"
#include "cli/verbs.h"
#include "runtime/linux/linux_runtime.h"

#ifndef KEELWAY_VERSION
#define KEELWAY_VERSION "0.0.0"
#endif

namespace keelway::app {
namespace {

std::string environment(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr ? text : "";
}

// kubectl runs this program by its path, whatever PATH it has then.
std::string program_path() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "keelway" : path.string();
}

int report(const base::Result<void>& result) {
  if (result) return 0;
  fmt::print(stderr, "keelway: {}\n", result.error().message);
  return 1;
}

// Options that every remote verb shares.
struct Remote {
  std::string data = cli::default_data_folder(environment);
  std::string region;
  std::string output = "table";
  std::vector<CLI::Option*> folders;  // --data of each command

  void add_to(CLI::App& command) {
    folders.push_back(
        command
            .add_option(
                "--data", data,
                "data folder of a local server, whose endpoint and root key are used; where "
                "it is not given, AWS_ENDPOINT_URL with AWS_ACCESS_KEY_ID wins")
            ->capture_default_str());
    command.add_option(
        "--region", region,
        "AWS region (default: AWS_REGION, else AWS_DEFAULT_REGION, else the server's;"
        " with --data the server's)");
    command.add_option("-o,--output", output, "how to print the answer")
        ->check(CLI::IsMember({"table", "json"}))
        ->capture_default_str();
  }

  template <class Verb>
  int run(Verb verb) const {
    auto runtime = runtime::make_linux_runtime({.core_threads = 1, .worker_threads = 1});
    const bool named = std::any_of(folders.begin(), folders.end(),
                                   [](const CLI::Option* folder) { return folder->count() > 0; });
    auto context = cli::find_context(environment, runtime->files(), data, named);
    if (!context) return report(std::unexpected(context.error()));
    if (!region.empty()) context->region = region;
    return report(
        verb(cli::Session{*runtime, *context, std::filesystem::absolute(data), output == "json"}));
  }
};

int env(const std::string& data) {
  auto runtime = runtime::make_linux_runtime({.core_threads = 1, .worker_threads = 1});
  const auto context = cli::read_credentials(runtime->files(), data);
  if (!context) return report(std::unexpected(context.error()));
  fmt::print("{}", cli::export_lines(*context));
  return 0;
}

// "127.0.0.1:4566", "[::1]:4566", ":4566", "4566".
base::Result<void> take_listen(const std::string& text, Config& config) {
  const auto colon = text.rfind(':');
  const std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  char* end = nullptr;
  const long number = std::strtol(port.c_str(), &end, 10);
  if (port.empty() || *end != '\0' || number < 0 || number > 65535) {
    return base::fail(base::ErrorCode::invalid,
                      "--listen wants HOST:PORT, such as 127.0.0.1:4566; it got " + text);
  }
  config.listen_port = static_cast<std::uint16_t>(number);
  if (!host.empty()) config.listen_host = base::without_brackets(host);
  // A name may have two addresses, and one is listened on.
  if (host == "localhost") config.listen_host = "127.0.0.1";
  return {};
}

class CommandLine {
 public:
  CommandLine() : app_("The EKS API and everything behind it, in one program.", "keelway") {
    app_.require_subcommand(1);
    add_up();
    add_env();
    add_upkeep();
    app_.add_subcommand("version", "Print the version.")->callback([] {
      fmt::print("keelway {}\n", KEELWAY_VERSION);
    });
    add_clusters();
    add_keys();
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error);
    }
    return exit_code_;
  }

 private:
  template <class Verb>
  void remote(CLI::App* command, Verb verb) {
    remote_.add_to(*command);
    command->callback([this, verb] { exit_code_ = remote_.run(verb); });
  }

  void add_up() {
    CLI::App* command = app_.add_subcommand("up", "Run a server until SIGTERM or Ctrl-C.");
    Config& config = up_.config;
    up_.data_folder = remote_.data;
    command->add_option("--data", up_.data_folder, "data folder; made if it is not there")
        ->capture_default_str();
    command->add_option("--listen", listen_, "HOST:PORT of the AWS-compatible endpoint")
        ->capture_default_str();
    advertise_ = command->add_option("--advertise", config.advertised_host,
                                     "host name or address that clusters tell their clients "
                                     "(default: 127.0.0.1, or the loopback address of --listen)");
    command->add_option("--nodes", nodes_, "what nodes are: hollow (played, no containers)")
        ->check(CLI::IsMember({"hollow"}))
        ->capture_default_str();
    command
        ->add_option("--pools", pools_,
                     "what nodes of a new cluster come from: default is a node pool and its "
                     "NodeClass, none is neither")
        ->check(CLI::IsMember({"default", "none"}))
        ->capture_default_str();
    command->add_option("--pace", pace_, "fast: as soon as possible; real: EKS's minutes")
        ->check(CLI::IsMember({"fast", "real"}))
        ->capture_default_str();
    add_store_options(command);
    command
        ->add_option("--region", config.default_region,
                     "region of `keelway env`, and of every command that names none")
        ->capture_default_str();
    command->add_option("--account", config.default_account, "account of the first root key")
        ->check(CLI::Validator(
            [](std::string& text) {
              const bool good =
                  text.size() == 12 && text.find_first_not_of("0123456789") == std::string::npos;
              return good ? std::string() : std::string("an account is 12 digits");
            },
            "12 DIGITS"))
        ->capture_default_str();
    command->add_flag("--test-credentials", config.test_credentials,
                      "accept the well-known key test/test (loopback only)");
    command->add_option("--limit", limits_, "NAME=VALUE, may be repeated; see below");
    std::string limits = "Limits, with their defaults (docs/limits.md says what each bounds):";
    for (const std::string& limit : list_limits()) limits += "\n  " + limit;
    command->footer(limits);
    command
        ->add_option("--threads", up_.core_threads,
                     "core threads: so many for work, and so many for connections")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    command->add_flag("-v,--verbose", up_.verbose,
                      "log what the server does to stderr, not only warnings");
    command->callback([this] { exit_code_ = report(run_up()); });
  }

  void add_store_options(CLI::App* command) {
    StoreChoice& store = up_.store;
    command
        ->add_option("--store", store.url,
                     "where state lives: sqlite, in the data folder, or "
                     "etcd://HOST:PORT[,HOST:PORT...][/PREFIX], which several servers share")
        ->capture_default_str();
    command->add_option("--store-ca", store.ca_file, "PEM file of etcd's authority; turns TLS on");
    command->add_option("--store-cert", store.certificate_file,
                        "PEM file of our certificate to etcd; turns TLS on");
    command->add_option("--store-key", store.key_file, "PEM file of its private key");
    command->add_option("--store-login", store.login_file, "file with USER:PASSWORD of etcd");
    command->add_option("--server-name", up_.config.server_name,
                        "name of this server among those of one store (default: host and port that "
                        "its endpoint has); no two may share one");
  }

  base::Result<void> run_up() {
    if (const auto taken = take_listen(listen_, up_.config); !taken) return taken;
    if (advertise_->count() > 0) {
      up_.config.advertised_host = base::without_brackets(up_.config.advertised_host);
    } else if (up_.config.on_loopback()) {
      up_.config.advertised_host = up_.config.listen_host;
    }
    up_.config.default_pools = pools_ == "default";
    up_.config.pace = pace_ == "real" ? Pace::real : Pace::fast;
    for (const std::string& limit : limits_) {
      if (const auto set = set_limit(up_.config.limits, limit); !set) return set;
    }
    up_.config.product_version = KEELWAY_VERSION;
    up_.config.shared_store = up_.store.shared();
    return up(up_);
  }

  void add_env() {
    CLI::App* command =
        app_.add_subcommand("env", "Print the exports that point AWS tools at a local server.");
    command->add_option("--data", remote_.data, "data folder of the server")->capture_default_str();
    command->callback([this] { exit_code_ = env(remote_.data); });
  }

  void add_upkeep();
  void add_clusters();
  void add_keys();

  CLI::App app_;
  int exit_code_ = 0;
  Remote remote_;
  UpOptions up_;
  std::string listen_ = "127.0.0.1:4566", nodes_ = "hollow", pools_ = "default", pace_ = "fast";
  std::vector<std::string> limits_;
  CLI::Option* advertise_ = nullptr;
  cli::NewCluster new_cluster_;
  std::string data_, output_ = "table";
  std::string name_, file_, account_, user_;
  bool no_wait_ = false;
};

void CommandLine::add_upkeep() {
  data_ = remote_.data;
  CLI::App* look = app_.add_subcommand(
      "check",
      "Verify a data folder: the database, every sealed value, the order of revisions, the keys.\n"
      "Reads only, also beside a running server. Exits 0 where all is sound, 1 where something "
      "was\n"
      "found, 2 where nothing could be verified.");
  look->add_option("--data", data_, "data folder")->capture_default_str();
  look->add_option("-o,--output", output_, "how to print what was found")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  look->callback([this] {
    const auto sound = check(data_, output_ == "json");
    exit_code_ = !sound ? 2 : *sound ? 0 : 1;
    if (!sound) report(std::unexpected(sound.error()));
  });

  CLI::App* save = app_.add_subcommand(
      "backup",
      "Copy a data folder into one file, also while its server runs: the state of one moment, "
      "with\n"
      "everything that was acknowledged before. The file holds the sealing key, so whoever has it\n"
      "can read every secret; its mode is 0600. The audit log is not in it.");
  save->add_option("--data", data_, "data folder")->capture_default_str();
  save->add_option("--to", file_, "file to make, or a folder for a file named by the time")
      ->required();
  save->callback([this] { exit_code_ = report(backup(data_, file_)); });

  CLI::App* load =
      app_.add_subcommand("restore",
                          "Make a data folder from a backup: the same clusters, keys and "
                          "certificates. Refuses a folder\n"
                          "that holds data already. Start it with `keelway up --data DIR`.");
  load->add_option("--from", file_, "file that `keelway backup` made")
      ->required()
      ->check(CLI::ExistingFile);
  load->add_option("--data", data_, "data folder to make")->capture_default_str();
  load->callback([this] { exit_code_ = report(restore(file_, data_)); });
}

void CommandLine::add_clusters() {
  CLI::App* group = app_.add_subcommand("cluster", "Clusters, without the AWS CLI.");
  group->require_subcommand(1);

  CLI::App* create = group->add_subcommand("create", "Create a cluster and wait for it.");
  create->add_option("name", new_cluster_.name, "name of the cluster")->required();
  create->add_option("--version", new_cluster_.version, "Kubernetes version, such as 1.33");
  create->add_flag("--no-wait", no_wait_, "return while the cluster is still CREATING");
  remote(create, [this](const cli::Session& session) {
    new_cluster_.wait = !no_wait_;
    return cli::create_cluster(session, new_cluster_);
  });

  remote(group->add_subcommand("list", "List the clusters of the region."),
         [](const cli::Session& session) { return cli::list_clusters(session); });

  CLI::App* remove = group->add_subcommand("delete", "Delete a cluster with all that it holds.");
  remove->add_option("name", name_, "name of the cluster")->required();
  remove->add_flag("--no-wait", no_wait_, "return while the cluster is still DELETING");
  remote(remove, [this](const cli::Session& session) {
    return cli::delete_cluster(session, name_, !no_wait_);
  });

  CLI::App* nodes = group->add_subcommand("nodes", "List nodes with their types and cost.");
  nodes->add_option("name", name_, "name of the cluster")->required();
  remote(nodes, [this](const cli::Session& session) { return cli::list_nodes(session, name_); });

  CLI::App* token = group->add_subcommand("token", "Print a bearer token as an ExecCredential.");
  token->add_option("name", name_, "name of the cluster")->required();
  remote(token, [this](const cli::Session& session) { return cli::print_token(session, name_); });

  CLI::App* kubeconfig = group->add_subcommand("kubeconfig", "Print a kubeconfig.");
  kubeconfig->add_option("name", name_, "name of the cluster")->required();
  kubeconfig->add_option("--file", file_, "write it there (mode 0600) instead of to stdout");
  remote(kubeconfig, [this](const cli::Session& session) {
    return cli::print_kubeconfig(session, name_, program_path(), file_);
  });
}

void CommandLine::add_keys() {
  CLI::App* group = app_.add_subcommand("key", "Access keys of a server.");
  group->require_subcommand(1);

  CLI::App* create = group->add_subcommand("create", "Make an access key.");
  create->add_option("--account", account_, "account of 12 digits (default: the caller's)");
  create->add_option("--user", user_, "IAM user name (default: root of the account)");
  remote(create,
         [this](const cli::Session& session) { return cli::create_key(session, account_, user_); });

  remote(group->add_subcommand("list", "List access keys, without their secrets."),
         [](const cli::Session& session) { return cli::list_keys(session); });

  CLI::App* remove = group->add_subcommand("delete", "Delete an access key.");
  remove->add_option("id", name_, "access key id")->required();
  remote(remove, [this](const cli::Session& session) { return cli::delete_key(session, name_); });
}

}  // namespace
}  // namespace keelway::app

int main(int argc, char** argv) {
  return keelway::app::CommandLine().run(argc, argv);
}
