#!/usr/bin/env bash
# Sets up, builds and tests everything: the README's test command, and what CI runs.
#   scripts/test.sh [ctest arguments]      e.g. scripts/test.sh -L property
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
preset=${RESEDA_PRESET:-ci}
cmake --preset "$preset"
cmake --build --preset "$preset" -j "${RESEDA_JOBS:-$(nproc)}"
ctest --preset "$preset" -j "${RESEDA_JOBS:-$(nproc)}" "$@"
