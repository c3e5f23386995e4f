#include "cli/context.h"

#include <fmt/core.h>

#include <charconv>

#include "base/host.h"
#include "value/json.h"

namespace keelway::cli {
namespace {

// "http://127.0.0.1:4566" into its parts.
base::Result<void> take_endpoint(std::string_view url, Context& context) {
  const auto refuse = [&url] {
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("AWS_ENDPOINT_URL is {}; it should look like "
                                  "http://127.0.0.1:4566",
                                  url));
  };
  std::string_view rest = url;
  context.tls = rest.starts_with("https://");
  if (!context.tls && !rest.starts_with("http://")) return refuse();
  rest.remove_prefix(context.tls ? 8 : 7);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return refuse();
  const std::string_view digits = rest.substr(colon + 1);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), context.port);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  if (!whole || context.port == 0) return refuse();
  context.host = base::without_brackets(rest.substr(0, colon));
  return context.host.empty() ? refuse() : base::Result<void>();
}

}  // namespace

std::string Context::endpoint() const {
  return (tls ? "https://" : "http://") + base::host_and_port(host, port);
}

std::string default_data_folder(const Environment& environment) {
  if (auto folder = environment("KEELWAY_DATA"); !folder.empty()) return folder;
  if (auto folder = environment("XDG_DATA_HOME"); !folder.empty()) return folder + "/keelway";
  if (auto home = environment("HOME"); !home.empty()) return home + "/.local/share/keelway";
  return "keelway-data";
}

base::Result<Context> read_credentials(runtime::Files& files, const std::string& data_folder) {
  const std::string path = data_folder + "/credentials.json";
  const auto text = files.read(path);
  if (!text) {
    return base::fail(base::ErrorCode::not_found,
                      fmt::format("no credentials in {}: start a server with `keelway up --data "
                                  "{}`, or set AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and "
                                  "AWS_SECRET_ACCESS_KEY",
                                  path, data_folder));
  }
  const auto document = value::parse_json(*text);
  if (!document)
    return base::fail(base::ErrorCode::invalid, path + ": " + document.error().message);
  Context context;
  context.ca_file = (*document)["caFile"].as_string();
  context.tls = !context.ca_file.empty();
  context.host = (*document)["host"].string_or(context.host);
  const std::int64_t port = (*document)["port"].as_int(context.port);
  if (port < 1 || port > 65'535) {
    return base::fail(
        base::ErrorCode::invalid,
        fmt::format("{}: port {} is none; start the server, which writes it anew", path, port));
  }
  context.port = static_cast<std::uint16_t>(port);
  context.access_key = (*document)["accessKeyId"].as_string();
  context.secret_key = (*document)["secretAccessKey"].as_string();
  context.region = (*document)["region"].string_or(context.region);
  return context;
}

base::Result<void> write_credentials(runtime::Files& files, const std::string& data_folder,
                                     const Context& context) {
  const auto document = value::Value::object({{"caFile", context.ca_file},
                                              {"host", context.host},
                                              {"port", static_cast<int>(context.port)},
                                              {"accessKeyId", context.access_key},
                                              {"secretAccessKey", context.secret_key},
                                              {"region", context.region}});
  return files.write_private(data_folder + "/credentials.json",
                             value::to_pretty_json(document) + "\n");
}

base::Result<Context> find_context(const Environment& environment, runtime::Files& files,
                                   const std::string& data_folder, bool folder_is_named) {
  if (folder_is_named) return read_credentials(files, data_folder);
  Context context;
  const std::string key = environment("AWS_ACCESS_KEY_ID");
  const std::string url = environment("AWS_ENDPOINT_URL");
  if (key.empty() || url.empty()) {
    auto local = read_credentials(files, data_folder);
    if (!local) return local;
    context = *local;
  }
  if (!url.empty()) {
    if (!key.empty()) {
      context.from_environment = true;
      context.access_key = key;
      context.secret_key = environment("AWS_SECRET_ACCESS_KEY");
      context.session_token = environment("AWS_SESSION_TOKEN");
    }
    context.ca_file = environment("AWS_CA_BUNDLE");
    if (const auto taken = take_endpoint(url, context); !taken) {
      return std::unexpected(taken.error());
    }
  }
  if (auto region = environment("AWS_REGION"); !region.empty())
    context.region = region;
  else if (region = environment("AWS_DEFAULT_REGION"); !region.empty())
    context.region = region;
  return context;
}

std::string export_lines(const Context& context) {
  const std::string bundle =
      context.tls ? fmt::format("export AWS_CA_BUNDLE={}\n", context.ca_file) : "";
  return bundle + fmt::format(
                      "export AWS_ENDPOINT_URL={}\n"
                      "export AWS_ACCESS_KEY_ID={}\n"
                      "export AWS_SECRET_ACCESS_KEY={}\n"
                      "export AWS_REGION={}\n"
                      "export AWS_DEFAULT_REGION={}\n"
                      "unset AWS_SESSION_TOKEN AWS_PROFILE\n"
                      "# AWS CLI before 1.29, and 2 before 2.13, ignores AWS_ENDPOINT_URL: give it "
                      "--endpoint-url {}\n",
                      context.endpoint(), context.access_key, context.secret_key, context.region,
                      context.region, context.endpoint());
}

}  // namespace keelway::cli
