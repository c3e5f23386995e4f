#!/usr/bin/env bash
# Runs every fuzz target, or those named, for so many seconds each, from the kept inputs; one a core
# at a time.
#   tests/fuzz/run.sh SECONDS [TARGET...]
set -eu
cd "$(dirname "$0")/../.."
export SECONDS_EACH=$1
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for source in tests/fuzz/*_fuzz.cpp; do
    name=${source##*/}
    targets+=("${name%_fuzz.cpp}")
  done
fi
GROWN=$(mktemp -d)
export GROWN
trap 'rm -rf "$GROWN"' EXIT

fuzz_one() {
  local target=$1
  mkdir -p "$GROWN/$target"
  local options=(-max_total_time="$SECONDS_EACH" -timeout=30 -rss_limit_mb=3000 -max_len=8192
                 -artifact_prefix="build/fuzz/$target-")
  if [ -f "tests/fuzz/$target.dict" ]; then options+=(-dict="tests/fuzz/$target.dict"); fi
  if ! "build/fuzz/fuzz_$target" "${options[@]}" "$GROWN/$target" "tests/fuzz/corpus/$target" \
      >"build/fuzz/$target.log" 2>&1; then
    { echo "== fuzz $target failed"; tail -40 "build/fuzz/$target.log"; } >&2
    return 255  # the others need not go on
  fi
  echo "fuzz $target: $(grep -E '^#[0-9]+.DONE' "build/fuzz/$target.log" || true)"
}
export -f fuzz_one
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz_one {}'
