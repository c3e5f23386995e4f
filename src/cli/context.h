// Who speaks to which server: the credentials file that `keelway up` keeps in its data folder, or
// the environment as AWS tools read it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "runtime/files.h"

namespace keelway::cli {

using Environment = std::function<std::string(const char* name)>;  // empty where unset

struct Context {
  bool tls = false;     // off loopback the door speaks nothing else
  std::string ca_file;  // PEM; with tls
  std::string host = "127.0.0.1";
  std::uint16_t port = 4566;
  std::string access_key, secret_key, session_token;
  std::string region = "us-east-1";
  bool from_environment = false;  // endpoint and key are those of AWS_...
  std::string endpoint() const;
};

// The folder that commands use where none is named: $KEELWAY_DATA, else
// $XDG_DATA_HOME/keelway, else ~/.local/share/keelway.
std::string default_data_folder(const Environment& environment);

// What `keelway up` leaves for local tools in DATA/credentials.json (mode 0600).
base::Result<Context> read_credentials(runtime::Files& files, const std::string& data_folder);
base::Result<void> write_credentials(runtime::Files& files, const std::string& data_folder,
                                     const Context& context);

// Where the caller named the folder, what it says and nothing else. Else AWS_ENDPOINT_URL with
// AWS_ACCESS_KEY_ID and its secret win over the folder; a key without an endpoint is one of the
// real cloud and is not sent. AWS_REGION, or AWS_DEFAULT_REGION, wins over the folder's region.
base::Result<Context> find_context(const Environment& environment, runtime::Files& files,
                                   const std::string& data_folder, bool folder_is_named);

// Shell lines that make AWS tools speak to this server.
std::string export_lines(const Context& context);

}  // namespace keelway::cli
