#!/usr/bin/env bash
# What 'make demo' runs: plans Pangu Ultra MoE on 6,144 Ascend NPUs; pictures and a report page go to the folder.
# Usage: tools/demo.sh <program> <output folder>
set -euo pipefail
exec "$1" plan demo --output "$2"
