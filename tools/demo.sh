#!/usr/bin/env bash
# What 'make demo' runs.
# Usage: tools/demo.sh <program> <output folder>
set -euo pipefail
"$1" version
