#!/usr/bin/env bash
# clang-tidy with the checks of .clang-tidy over src/ and app/, or over the given files; one file per core at a time.
# Usage: tools/tidy.sh <folder with compile_commands.json> [file ...]
set -euo pipefail
cd "$(dirname "$0")/.."
commands=$1
shift
[ $# -gt 0 ] || mapfile -t found < <(python3 -B tools/sources.py src app | grep '\.cpp$')
if printf '%s\0' "${@:-${found[@]}}" |
  xargs -0 -P "$(nproc)" -I{} sh -c 'echo "tidy: {}"; clang-tidy --quiet -p "$0" --extra-arg=-Wno-unknown-warning-option "{}" 2>/dev/null' "$commands"; then
  echo "tidy: nothing found"
else
  echo "tidy: mend what is shown above" >&2
  exit 1
fi
