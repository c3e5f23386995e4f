#!/usr/bin/env bash
# Runs every fuzz target, or those named, for so many seconds each, from the kept inputs.
#   tests/fuzz/run.sh SECONDS [TARGET...]
set -eu
cd "$(dirname "$0")/../.."
seconds=$1
shift
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for source in tests/fuzz/*_fuzz.cpp; do
    name=${source##*/}
    targets+=("${name%_fuzz.cpp}")
  done
fi
grown=$(mktemp -d)
trap 'rm -rf "$grown"' EXIT
for target in "${targets[@]}"; do
  echo "== fuzz $target"
  mkdir -p "$grown/$target"
  options=(-max_total_time="$seconds" -timeout=30 -rss_limit_mb=3000 -max_len=8192
           -artifact_prefix="build/fuzz/$target-")
  if [ -f "tests/fuzz/$target.dict" ]; then options+=(-dict="tests/fuzz/$target.dict"); fi
  if ! "build/fuzz/fuzz_$target" "${options[@]}" "$grown/$target" "tests/fuzz/corpus/$target" \
      >"build/fuzz/$target.log" 2>&1; then
    tail -40 "build/fuzz/$target.log" >&2
    exit 1
  fi
  grep -E '^#[0-9]+.DONE' "build/fuzz/$target.log" || true
done
