# Sourced by ./demo and ./test: makes sure that what they need is on the machine.
# Debian 12 and Ubuntu 24.04 names.

KEELWAY_BUILD_PACKAGES="g++ cmake ninja-build pkg-config mold ccache python3 python3-yaml \
libssl-dev libnghttp2-dev libsimdjson-dev libyaml-cpp-dev libre2-dev libsqlite3-dev zlib1g-dev \
libcli11-dev libfmt-dev libspdlog-dev libboost-dev libmimalloc-dev libgtest-dev libgmock-dev"
KEELWAY_TEST_PACKAGES="python3-venv curl etcd-server etcd-client iproute2"

# need_packages PACKAGE...: installs those that are missing; without root says what to install.
need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "Keelway needs these packages; install them and run this again:" >&2
    echo "  sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    return 1
  fi
  echo "Installing ${missing[*]}" >&2
  apt-get update -qq >&2 &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      "${missing[@]}" >/dev/null
}

# need_tool COMMAND PACKAGE ELSEWHERE: installs the package unless the command is in the path. Not
# every system has these packages (Ubuntu 24.04 has neither kubernetes-client nor awscli).
need_tool() {
  command -v "$1" >/dev/null && return 0
  if ! has_package "$2" && [ "$(id -u)" -eq 0 ]; then apt-get update -qq >&2; fi
  if has_package "$2"; then need_packages "$2"; return; fi
  echo "Keelway's demo needs $1, of which this system has no package. Put it in the path:" >&2
  echo "  $3" >&2
  return 1
}
has_package() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep '^  Candidate: [^(]' >/dev/null; }

# build_preset PRESET [TARGET...]
build_preset() {
  local preset=$1
  shift
  cmake --preset "$preset" >"build-$preset.log" 2>&1 || { cat "build-$preset.log" >&2; return 1; }
  rm -f "build-$preset.log"
  cmake --build --preset "$preset" --target "${@:-all}"
}
