#!/usr/bin/env bash
# clang-tidy with the checks of .clang-tidy over src/ and app/, or over the given files; one file per core at a time.
# Usage: tools/tidy.sh <folder with compile_commands.json> [file ...]
set -euo pipefail
cd "$(dirname "$0")/.."
commands=$(mktemp -d)
trap 'rm -r "$commands"' EXIT
# Clang cannot read GCC's precompiled headers; each file includes what it needs anyway.
cp "$1/compile_commands.json" "$commands/all.json"
sed 's/-Winvalid-pch -include [^ ]*cmake_pch.hxx//' "$1/compile_commands.json" >"$commands/compile_commands.json"
shift
# Clang 14 cannot read LibTorch 1.13's headers as C++20, so what is compiled with them is left out unless it is named.
with_torch() { awk -F'"' -v root="$PWD/" '$2 == "command" { torch = /filigree_torch_/ } $2 == "file" && torch { sub(root, "", $4); print $4 }' "$commands/all.json"; }
[ $# -gt 0 ] || mapfile -t found < <(python3 -B tools/sources.py src app | grep '\.cpp$' | grep -vxFf <(with_torch))
if printf '%s\0' "${@:-${found[@]}}" |
  xargs -0 -P "$(nproc)" -I{} sh -c 'echo "tidy: {}"; clang-tidy --quiet -p "$0" --extra-arg=-Wno-unknown-warning-option "{}" 2>/dev/null' "$commands"; then
  echo "tidy: nothing found"
else
  echo "tidy: mend what is shown above" >&2
  exit 1
fi
