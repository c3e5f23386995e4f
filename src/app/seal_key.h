// The key that everything at rest is sealed with, in the data folder. Losing it loses the data.
#pragma once

#include <string>

#include "runtime/files.h"
#include "store/sealed/sealed.h"

namespace keelway::app {

inline constexpr const char* seal_key_file = "seal.key";

// The ring of a key as it stands in its file; `path` is for the error.
base::Result<store::KeyRing> parse_seal_key(const std::string& text, const std::string& path);
// not_found where the folder has none.
base::Result<store::KeyRing> read_seal_key(runtime::Files& files, const std::string& folder);
// Makes one where the folder has none.
base::Result<store::KeyRing> read_or_make_seal_key(runtime::Runtime& runtime,
                                                   const std::string& folder);

}  // namespace keelway::app
