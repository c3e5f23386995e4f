// The pod addresses of one cluster. What runs is the truth: addresses are taken as pods with them
// are seen, and given back when those pods go.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace keelway::node {

// 100.64.0.0/10 without its first and last /24: four million addresses.
class AddressPool {
 public:
  // A free address, now held by the pod; the same one again while the pod holds it. Nothing when
  // every address is taken.
  std::optional<std::string> take(const std::string& pod_uid);
  // The pod has this address already.
  void note(const std::string& pod_uid, std::string_view address);
  void give_back(const std::string& pod_uid);
  std::size_t taken() const { return by_address_.size(); }

 private:
  std::map<std::uint32_t, std::string> by_address_;
  std::map<std::string, std::uint32_t, std::less<>> by_pod_;
  std::uint32_t next_ = 0;
};

}  // namespace keelway::node
