#include "admission/admission.h"

#include "admission/plugins.h"

namespace keelway::admission {

schema::Answer<void> Chain::admit(Request& request, const Context& context) const {
  for (const auto& plugin : plugins_) {
    if (auto answer = plugin->mutate(request, context); !answer) return answer;
  }
  for (const auto& plugin : plugins_) {
    if (auto answer = plugin->validate(request, context); !answer) return answer;
  }
  return {};
}

Chain default_chain(const Options& options) {
  std::vector<std::unique_ptr<Plugin>> plugins;
  plugins.push_back(namespace_lifecycle());
  if (options.service_accounts) plugins.push_back(service_account());
  plugins.push_back(node_restriction());
  plugins.push_back(taint_nodes_by_condition());
  plugins.push_back(priority());
  plugins.push_back(default_toleration_seconds(options.not_ready_toleration_seconds,
                                               options.unreachable_toleration_seconds));
  plugins.push_back(runtime_class());
  return Chain(std::move(plugins));
}

std::unexpected<schema::Status> forbid(const Request& request, std::string_view why) {
  std::string name = request.name;
  if (name.empty()) name = request.object.at("metadata", "name").as_string();
  if (name.empty()) name = request.object.at("metadata", "generateName").as_string();
  return std::unexpected(
      schema::forbidden(request.resource.group, request.resource.resource, name, why));
}

}  // namespace keelway::admission
