#!/usr/bin/env bash
# Formatting and the project's own checks; every check runs, and one that fails makes the whole fail.
# Usage: tools/lint.sh <folder with compile_commands.json>
set -uo pipefail
cd "$(dirname "$0")/.."
commands=$1/compile_commands.json
failed=0

mapfile -t cpp < <(python3 -B tools/sources.py)
if formatted=$(clang-format --dry-run -Werror "${cpp[@]}" 2>&1); then
  echo "format: ${#cpp[@]} files are as .clang-format has it"
else
  sed -n 's/^\([^:]*:[0-9]*\):[0-9]*: error: .*/\1: is not formatted/p' <<<"$formatted" | sort -u -t: -k1,1 >&2
  echo "format: run 'make format'" >&2
  failed=1
fi
python3 -B tools/check_includes.py || failed=1
python3 -B tools/check_sizes.py || failed=1
python3 -B tools/check_text.py || failed=1
python3 -B tools/check_flags.py "$commands" || failed=1
exit $failed
