#!/usr/bin/env bash
# What 'make demo' runs: plans Pangu Ultra MoE on 6,144 Ascend NPUs and learns Lorenz' system from data; pictures and a
# report page go to the folder.
# Usage: tools/demo.sh <program> <output folder>
set -euo pipefail
exec "$1" demo --output "$2"
