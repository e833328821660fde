#!/usr/bin/env bash
# clang-tidy over src/ and app/, one file per core, with the checks of .clang-tidy.
# Usage: tools/tidy.sh <folder with compile_commands.json>
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files --cached --others --exclude-standard -- 'src/*.cpp' 'app/*.cpp' |
  xargs -P "$(nproc)" -n 1 -I{} sh -c 'echo "tidy: {}"; clang-tidy --quiet -p "$0" "{}" 2>/dev/null' "$1"
echo "tidy: nothing found"
