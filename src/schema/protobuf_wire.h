// The wire format of Protocol Buffers, as little of it as the codec needs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keelway::schema::proto {

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

inline constexpr std::string_view envelope_prefix{"k8s\0", 4};

inline void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

inline void put_tag(std::string& out, unsigned number, WireType type) {
  put_varint(out, (static_cast<std::uint64_t>(number) << 3) | static_cast<unsigned>(type));
}

inline void put_bytes(std::string& out, unsigned number, std::string_view bytes) {
  put_tag(out, number, WireType::bytes);
  put_varint(out, bytes.size());
  out.append(bytes);
}

inline void put_integer(std::string& out, unsigned number, std::int64_t value) {
  put_tag(out, number, WireType::varint);
  put_varint(out, static_cast<std::uint64_t>(value));
}

struct Item {
  unsigned number = 0;
  WireType type = WireType::varint;
  std::uint64_t scalar = 0;
  std::string_view bytes;
};

// Walks the fields of one message. After next() answered nullopt, broken() tells why.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::optional<Item> next();
  bool broken() const { return broken_; }

 private:
  std::optional<std::uint64_t> varint();
  std::optional<std::uint64_t> fixed(std::size_t width);
  std::nullopt_t fail();

  std::string_view rest_;
  bool broken_ = false;
};

}  // namespace keelway::schema::proto
