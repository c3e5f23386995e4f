#include "base/error.h"

#include <cstdio>
#include <cstdlib>

namespace keelway::base {

void abort_broken_invariant(const char* file, int line, const char* condition,
                            const std::string& context) {
  std::fprintf(stderr, "keelway: broken invariant at %s:%d: %s (%s)\n", file, line, condition,
               context.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace keelway::base
