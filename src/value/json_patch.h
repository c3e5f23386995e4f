// JSON patch (RFC 6902), with the limits and the wording of the API server's library.
#pragma once

#include <cstddef>

#include "base/error.h"
#include "value/value.h"

namespace keelway::value {

struct JsonPatchLimits {
  std::size_t operations_max = 10'000;
  std::size_t copied_bytes_max = 3u << 20;  // JSON bytes that "copy" operations add in all
  std::size_t depth_max = 512;              // levels of the result, as of any body
};

// Code `invalid`: the patch is no JSON patch (an API server answers 400); `exhausted`: a limit
// (413); `conflict`: it does not fit the document (422).
base::Result<Value> apply_json_patch(const Value& document, const Value& patch,
                                     const JsonPatchLimits& limits = {});

}  // namespace keelway::value
