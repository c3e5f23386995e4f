#include "schema/protobuf_wire.h"

namespace keelway::schema::proto {

std::nullopt_t Reader::fail() {
  broken_ = true;
  return std::nullopt;
}

std::optional<std::uint64_t> Reader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) return fail();
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return fail();
}

std::optional<std::uint64_t> Reader::fixed(std::size_t width) {
  if (rest_.size() < width) return fail();
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(rest_[i])) << (8 * i);
  }
  rest_.remove_prefix(width);
  return value;
}

std::optional<Item> Reader::next() {
  if (rest_.empty() || broken_) return std::nullopt;
  const auto tag = varint();
  if (!tag) return std::nullopt;
  Item item;
  item.type = static_cast<WireType>(*tag & 7);
  if (*tag >> 3 == 0 || *tag >> 3 > 0x1fffffff) return fail();
  item.number = static_cast<unsigned>(*tag >> 3);
  std::optional<std::uint64_t> value;
  switch (item.type) {
    case WireType::varint:
      value = varint();
      break;
    case WireType::fixed64:
      value = fixed(8);
      break;
    case WireType::fixed32:
      value = fixed(4);
      break;
    case WireType::bytes:
      value = varint();
      if (!value) return std::nullopt;
      if (*value > rest_.size()) return fail();
      item.bytes = rest_.substr(0, *value);
      rest_.remove_prefix(*value);
      break;
    default:
      return fail();  // groups: nobody writes them
  }
  if (!value) return std::nullopt;
  item.scalar = *value;
  return item;
}

}  // namespace keelway::schema::proto
