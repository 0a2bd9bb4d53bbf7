#!/usr/bin/env bash
# The README's first command: sets up, builds, and enhances a real noisy recording.
#   scripts/demo.sh [OUT]      OUT: folder of the results, by default out/demo
# It leaves OUT/enhanced/cafe.flac, and OUT/report with the scores and a page with the spectrograms.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-out/demo}

scripts/setup.sh
cmake --preset release -DRESEDA_TESTS=OFF
cmake --build --preset release -j "${RESEDA_JOBS:-$(nproc)}" --target reseda reseda-speech

bin=build/release/bin
rm -rf "$out/report"
"$bin/reseda" speech enhance examples/speech/noisy/cafe.flac -o "$out/enhanced/cafe.flac" --overwrite
"$bin/reseda" speech evaluate --clean examples/speech/clean --enhanced "$out/enhanced" --noisy examples/speech/noisy -o "$out/report"
printf 'demo: enhanced file  %s\n' "$out/enhanced/cafe.flac" >&2
printf 'demo: scores, page   %s\n' "$out"/report/* >&2
