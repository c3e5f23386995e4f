#include "store/etcd/protobuf.h"

namespace keelway::store::etcd {
namespace {
enum WireType { varint_type = 0, fixed64 = 1, length_delimited = 2, fixed32 = 5 };
}  // namespace

void Encoder::varint(std::uint64_t value) {
  while (value >= 0x80) {
    out_ += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out_ += static_cast<char>(value);
}

Encoder& Encoder::number(int field, std::int64_t value) {
  if (value == 0) return *this;
  varint(static_cast<std::uint64_t>(field) << 3 | varint_type);
  varint(static_cast<std::uint64_t>(value));
  return *this;
}

Encoder& Encoder::bytes(int field, std::string_view value) {
  return value.empty() ? *this : message(field, value);
}

Encoder& Encoder::message(int field, std::string_view encoded) {
  varint(static_cast<std::uint64_t>(field) << 3 | length_delimited);
  varint(encoded.size());
  out_ += encoded;
  return *this;
}

bool Decoder::varint(std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return good_ = false;
}

bool Decoder::skip(std::size_t count) {
  if (rest_.size() < count) return good_ = false;
  rest_.remove_prefix(count);
  return true;
}

bool Decoder::next() {
  if (!good_ || rest_.empty()) return false;
  std::uint64_t tag = 0;
  if (!varint(tag)) return false;
  field_ = static_cast<int>(tag >> 3);
  number_ = 0;
  bytes_ = {};
  switch (tag & 7) {
    case varint_type:
      return varint(number_);
    case fixed64:
      return skip(8);
    case fixed32:
      return skip(4);
    case length_delimited: {
      std::uint64_t size = 0;
      if (!varint(size)) return false;
      if (size > rest_.size()) return good_ = false;
      bytes_ = rest_.substr(0, size);
      rest_.remove_prefix(size);
      return true;
    }
    default:
      return good_ = false;
  }
}

}  // namespace keelway::store::etcd
