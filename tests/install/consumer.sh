#!/usr/bin/env bash
# Installs this build into a folder of its own and builds examples/consumer against it, as a user of the library would.
set -euo pipefail
source=$1 build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" >"$work/install.log"
cmake -S "$source/examples/consumer" -B "$work/consumer" -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log"
cmake --build "$work/consumer"
line=$("$work/consumer/consumer")
echo "$line"
# k = 2.6: b = (k - 1) / (k^2 - 1) = 1 / (k + 1) at half time
[ "$line" = "sb_ve at t = 0.5: a = 0.7222, b = 0.2778, c = 0.4918" ]
"$work/prefix/bin/reseda" help >"$work/help"
"$work/prefix/bin/reseda" tools models >"$work/models"
grep -q speech "$work/help"
grep -q reseda-16k "$work/models"
