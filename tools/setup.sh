#!/usr/bin/env bash
# Installs the Debian packages that packages.txt lists and this machine lacks. Quick when nothing is to be done.
# Usage: tools/setup.sh [group ...]
set -euo pipefail
cd "$(dirname "$0")/.."

# The first group has no heading; "[lint]" starts the group lint.
mapfile -t wanted < <(awk -v groups=" $* " '{ sub(/#.*/, "") } /^\[/ { skip = !index(groups, " " substr($1, 2, length($1) - 2) " "); next }
  !skip && NF { print $1 }' packages.txt)

if ! command -v dpkg-query >/dev/null; then
  echo "setup: this is not a Debian system; it needs the counterparts of ${wanted[*]}" >&2
  exit 0
fi

# Whoever has the libraries from elsewhere says so.
[ "${FILIGREE_SETUP:-}" = skip ] && exit 0

# Prints the wanted packages that are not fully installed.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null | awk '$2 == "installed" {print $1}' || true)
  comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) <(printf '%s\n' "$installed" | sort -u)
}

mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: these packages are missing: ${missing[*]}" >&2
    echo "setup: installing them needs root, and there is no sudo; as root run: apt-get install ${missing[*]}" >&2
    echo "setup: if you have them from elsewhere, set FILIGREE_SETUP=skip" >&2
    exit 1
  fi
  as_root=(sudo)
fi

export DEBIAN_FRONTEND=noninteractive
apt_get() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@" </dev/null; }
install_missing() { apt_get install -y -q --no-install-recommends "${missing[@]}"; }

echo "setup: installing ${missing[*]}"
# The package index may be absent or out of date: a second try comes after one update.
if ! install_missing; then
  echo "setup: updating the package index and trying once more"
  apt_get update -q || true
  install_missing || true
fi

mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -ne 0 ]; then
  echo "setup: these packages could not be installed: ${missing[*]}" >&2
  echo "setup: see apt-get's messages above; install them by hand and start again" >&2
  exit 1
fi
