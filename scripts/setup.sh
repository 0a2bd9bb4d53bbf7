#!/usr/bin/env bash
# Installs everything reseda needs on Debian 12: packages, and LibTorch from PyPI's torch wheel. Safe to run again.
#
#   scripts/setup.sh            build and test dependencies
#   scripts/setup.sh --extra    also clang-tidy, clang-format, libFuzzer's runtime
#
# LibTorch is unpacked into $RESEDA_CACHE (default ~/.cache/reseda), where every CMake preset finds it.
set -euo pipefail

torch_version=2.11.0
cuda_version=13.0
cache=${RESEDA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/reseda}
torch_root=$cache/libtorch-$torch_version

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

packages=(build-essential cmake ninja-build ccache pkg-config ca-certificates python3 python3-pip unzip
  libsndfile1-dev libfftw3-dev libsoxr-dev libpng-dev libtiff-dev libjpeg62-turbo-dev libtclap-dev libyaml-cpp-dev nlohmann-json3-dev libspdlog-dev
  libgtest-dev libgmock-dev libbenchmark-dev libboost-dev libssl-dev zlib1g-dev libinsighttoolkit5-dev
  dicom3tools dcmtk orthanc orthanc-dicomweb curl)  # of the tests alone
[ "${1:-}" = --extra ] && packages+=(clang clang-tidy clang-format libclang-rt-14-dev)

missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  say "installing ${#missing[@]} packages: ${missing[*]}"
  $sudo apt-get update -qq || die "apt-get update failed: check the network and /etc/apt/sources.list"
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install: ${missing[*]}"
  # Debian starts the server it has just installed; the tests start their own.
  if [[ " ${missing[*]} " = *" orthanc "* ]]; then
    $sudo service orthanc stop >/dev/null 2>&1 || true
    $sudo update-rc.d orthanc disable >/dev/null 2>&1 || true
  fi
fi

# A wheel is a zip: it is downloaded whole under its own name by pip, and unpacked into a folder that gets its final
# name only when it is complete, so an interrupted run is simply repeated.
download() { # requirement -> prints the wheel's path
  local name=${1%%==*} dir=$cache/wheels wheel
  mkdir -p "$dir"
  find_wheel() { find "$dir" -maxdepth 1 -name "${name//-/_}-*.whl" | head -n 1; }
  wheel=$(find_wheel)
  if [ -z "$wheel" ]; then
    say "downloading $1"
    python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.11 \
      -d "$dir.part" "$1" >&2 ||
      die "could not download $1 from PyPI: check the network (pip's message is above), then run scripts/setup.sh again"
    mv "$dir.part"/*.whl "$dir/" && wheel=$(find_wheel)
  fi
  [ -n "$wheel" ] || die "pip reported success but $1 is not in $dir"
  printf '%s\n' "$wheel"
}

if [ ! -e "$torch_root/complete" ]; then
  rm -rf "$torch_root.part" && mkdir -p "$torch_root.part"
  torch_wheel=$(download "torch==$torch_version")
  runtime_wheel=$(download "nvidia-cuda-runtime==$cuda_version.*")
  cupti_wheel=$(download "nvidia-cuda-cupti==$cuda_version.*")
  say "unpacking LibTorch $torch_version into $torch_root"
  unzip -q -o "$torch_wheel" 'torch/include/*' 'torch/lib/*.so*' 'torch/share/cmake/*' 'torch/version.py' \
    'torch-*.dist-info/*' -x 'torch/lib/libtorch_python.so' -d "$torch_root.part" || die "$torch_wheel is damaged: delete it and run again"
  mv "$torch_root.part"/torch/* "$torch_root.part"/ && rmdir "$torch_root.part/torch"
  # torch_cpu of this wheel is linked against the CUDA run-time and profiler stubs even on a machine without a GPU.
  unzip -q -o -j "$runtime_wheel" '*libcudart.so*' -d "$torch_root.part/lib"
  unzip -q -o -j "$cupti_wheel" '*libcupti.so*' -d "$torch_root.part/lib"
  touch "$torch_root.part/complete"
  rm -rf "$torch_root" && mv "$torch_root.part" "$torch_root"
  rm -rf "$cache/wheels" "$cache/wheels.part"
fi
say "ready: LibTorch $torch_version in $torch_root"
