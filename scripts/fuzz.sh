#!/usr/bin/env bash
# Hunts for crashes in the readers of untrusted bytes, with clang's libFuzzer under ASan and UBSan.
#   scripts/fuzz.sh [SECONDS [TARGET...]]      e.g. scripts/fuzz.sh 600 zip pickle
# A crash leaves its input in build/fuzz/found and exit code 1. New inputs stay in build/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-30}
shift || true
targets=("$@")
# kspace by its name alone: its child may take much of a unit. Its exit code counts, not the files kspace.crash-... of
# children in which libhdf5 failed, as is foreseen.
[ ${#targets[@]} -gt 0 ] || targets=(safetensors zip pickle torch_legacy array image volume)

probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
printf 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n' > "$probe/probe.cpp"
if ! clang++ -fsanitize=fuzzer,address "$probe/probe.cpp" -o "$probe/probe" 2> /dev/null; then
  echo "fuzz: skipped: needs clang++ with libFuzzer's runtime (scripts/setup.sh --extra installs it)" >&2
  exit 0
fi

cmake --preset fuzz > /dev/null
cmake --build build/fuzz --target "${targets[@]/#/fuzz_}" -- -j "${RESEDA_JOBS:-$(nproc)}"
mkdir -p build/fuzz/found
for target in "${targets[@]}"; do mkdir -p "build/fuzz/corpus/$target"; done
# GDCM leaks buffers where JPEG-LS or JPEG 2000 are broken: leaks of volumes are not looked for.
# Two at a time; each prints its last line, a crash its whole report.
printf '%s\n' "${targets[@]}" | xargs -P "${RESEDA_JOBS:-2}" -I {} bash -c '
  log=build/fuzz/corpus/{}.log
  if [ {} = volume ]; then export ASAN_OPTIONS=detect_leaks=0; fi
  if OMP_NUM_THREADS=1 build/fuzz/bin/fuzz_{} -max_total_time='"$seconds"' -timeout=60 \
      -artifact_prefix=build/fuzz/found/{}. build/fuzz/corpus/{} tests/fuzz/corpus/{} > "$log" 2>&1; then
    echo "fuzz: {}: $(tail -n 1 "$log")"
  else
    cat "$log"
    echo "fuzz: {}: failed" >&2
    exit 1
  fi'
