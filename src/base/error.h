// The error of everything that the outside can cause. It says what happened, where, and what to
// do about it. Kubernetes answers have a richer form of their own: schema::Status.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace keelway::base {

enum class ErrorCode {
  invalid,       // the input is malformed
  not_found,     // the named thing does not exist
  conflict,      // somebody else was faster, or the state forbids it
  unauthorized,  // the caller could not prove who it is, or may not
  exhausted,     // a limit is reached
  unavailable,   // try again later: network, disk, a peer that is gone
  expired,       // too old: compacted revision, expired token
  cancelled,     // the work was given up by us
  internal,      // an environment fault that no caller can mend
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

// Ends the process with file, line and message. Stays on in release builds.
[[noreturn]] void abort_broken_invariant(const char* file, int line, const char* condition,
                                         const std::string& context);

}  // namespace keelway::base

// An invariant of our own code. Never used for input: input gets a Result.
#define KEELWAY_INVARIANT(condition, context)                                             \
  do {                                                                                    \
    if (!(condition)) [[unlikely]] {                                                      \
      ::keelway::base::abort_broken_invariant(__FILE__, __LINE__, #condition, (context)); \
    }                                                                                     \
  } while (false)
