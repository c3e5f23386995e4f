// Protocol Buffers' wire format, as much of it as etcd's messages use: varints and bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace keelway::store::etcd {

// Appends fields in the order of calls; what has its default value is left out, as proto3 does.
class Encoder {
 public:
  Encoder& number(int field, std::int64_t value);
  Encoder& bytes(int field, std::string_view value);
  // Present also where it is empty.
  Encoder& message(int field, std::string_view encoded);
  std::string take() { return std::move(out_); }
  const std::string& text() const { return out_; }

 private:
  void varint(std::uint64_t value);
  std::string out_;
};

// Reads field by field; the views point into the message.
class Decoder {
 public:
  explicit Decoder(std::string_view message) : rest_(message) {}
  // False at the end, or where the message is broken: see good().
  bool next();
  bool good() const { return good_; }
  int field() const { return field_; }
  std::int64_t number() const { return static_cast<std::int64_t>(number_); }
  std::string_view bytes() const { return bytes_; }

 private:
  bool varint(std::uint64_t& value);
  bool skip(std::size_t count);
  std::string_view rest_;
  bool good_ = true;
  int field_ = 0;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
};

}  // namespace keelway::store::etcd
