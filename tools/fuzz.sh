#!/usr/bin/env bash
# Runs each fuzz target for some seconds. What it learns stays in the build folder for the next time; an input that
# breaks something is kept under findings/ there.
# Usage: tools/fuzz.sh <build folder> [seconds each]
set -euo pipefail
build=$1
seconds=${2:-60}
failed=0
[ -s "$build/fuzzers.txt" ] || echo "fuzz: fuzz/CMakeLists.txt names no target"

while read -r name seeds; do
  mkdir -p "$build/corpus/$name" "$build/findings/$name"
  log=$build/findings/$name.log
  echo "fuzz: $name for $seconds s"
  if "$build/bin/fuzz_$name" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 -print_funcs=0 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$name/" "$build/corpus/$name" ${seeds:+"$seeds"} </dev/null >"$log" 2>&1; then
    echo "fuzz: $name: nothing found in $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
  else
    grep -E 'ERROR|SUMMARY|runtime error|Test unit written' "$log" >&2 || tail -20 "$log" >&2
    echo "fuzz: $name failed; all of it is in $log" >&2
    failed=1
  fi
done <"$build/fuzzers.txt"
exit $failed
