#!/usr/bin/env bash
# Checks the include lines against the allowed arrows of docs/architecture.md, where third-party headers may appear, and
# that loops spread over threads by modules/core/parallel.hpp.
#   include_arrows.sh ROOT        fails with one line per breach
#   include_arrows.sh --self-test checks that breaches are found
set -euo pipefail

declare -A allowed=(
  [modules/core]="modules/core"
  [modules/signal]="modules/core modules/signal"
  [modules/metrics]="modules/core modules/metrics"
  [modules/stats]="modules/core modules/stats"
  [modules/kernels]="modules/core modules/kernels"
  [modules/nn]="modules/core modules/signal modules/metrics modules/stats modules/kernels modules/nn"
  [modules/nets]="modules/core modules/signal modules/metrics modules/stats modules/kernels modules/nn modules/nets"
  [modules/diffusion]="modules/core modules/diffusion"
  [modules/inverse]="modules/core modules/diffusion modules/inverse"
  [modules/train]="modules/core modules/diffusion modules/train"
)
declare -A home=(
  ["itk[A-Z].*"]="io/volume"
  ["sndfile.h"]="io/audio"
  ["soxr.h"]="io/audio"
  ["png.h"]="io/image"
  ["tiffio.h"]="io/image"
  ["j(peglib|error).h"]="io/image"
  ["tclap/.*"]="pipelines/common"
  ["yaml-cpp/.*"]="io/record pipelines/common"
  ["nlohmann/.*"]="io/record io/checkpoint pipelines/common"
  ["spdlog/.*"]="pipelines/common"
  ["fftw3.h"]="modules/signal modules/inverse"
)

inside() { # file, list of folders
  local folder
  for folder in $2; do [[ $1 == "$folder"/* ]] && return 0; done
  return 1
}

check() { # root
  local root=$1 breaches=0 file line target area folders pattern
  while IFS=: read -r file line target; do
    file=${file#"$root"/}
    area=$(cut -d/ -f1-2 <<<"$file")
    if [[ $target =~ ^(modules|io|pipelines)/ ]]; then
      case $file in
        modules/*) folders=${allowed[$area]:-} ;;
        io/*) folders="modules/core io" ;;
        pipelines/common/*) folders="modules io pipelines/common" ;;
        pipelines/*) folders="modules io pipelines/common pipelines/restoration $area" ;;
      esac
      inside "$target" "$folders" || { echo "$file:$line: $area must not include $target"; breaches=1; }
    else
      [[ $target == torch/torch.h && $file == *.hpp ]] && { echo "$file:$line: torch/torch.h in a header"; breaches=1; }
      for pattern in "${!home[@]}"; do
        [[ $target =~ ^$pattern$ ]] && ! inside "$file" "${home[$pattern]}" && { echo "$file:$line: $target belongs to ${home[$pattern]}"; breaches=1; }
      done
    fi
  done < <(grep -rnoE '^#include [<"][^>"]+' "$root"/modules "$root"/io "$root"/pipelines --include='*.hpp' --include='*.cpp' | sed -E 's/#include [<"]//')
  while IFS=: read -r file line _; do
    echo "${file#"$root"/}:$line: at::parallel_for is a loop on one thread here; modules/core/parallel.hpp has what spreads"; breaches=1
  done < <(grep -rnF 'at::parallel_for(' "$root"/modules "$root"/io "$root"/pipelines --include='*.hpp' --include='*.cpp' |
           grep -v '/modules/core/parallel\.cpp:')
  return $breaches
}

if [[ ${1:-} == --self-test ]]; then
  root=$(mktemp -d); trap 'rm -rf "$root"' EXIT
  mkdir -p "$root"/modules/core "$root"/modules/signal "$root"/io/audio "$root"/pipelines/speech "$root"/pipelines/medical
  echo '#include "modules/core/error.hpp"' >"$root/modules/signal/a.cpp"
  check "$root" || { echo "a clean tree was refused"; exit 1; }
  for breach in 'modules/core/a.cpp:"io/audio/x.hpp"' 'modules/core/b.cpp:"modules/signal/x.hpp"' 'io/audio/a.cpp:"modules/signal/x.hpp"' \
                'pipelines/speech/a.cpp:"pipelines/medical/x.hpp"' 'modules/core/c.hpp:<torch/torch.h>' 'modules/signal/b.cpp:<sndfile.h>'; do
    echo "#include ${breach#*:}" >"$root/${breach%%:*}"
    if check "$root" >/dev/null; then echo "not found: $breach"; exit 1; fi
    rm "$root/${breach%%:*}"
  done
  echo 'at::parallel_for(0, 4, 1, f);' >"$root/modules/core/parallel.cpp"
  check "$root" || { echo "the one place of at::parallel_for was refused"; exit 1; }
  cp "$root/modules/core/parallel.cpp" "$root/io/audio/a.cpp"
  if check "$root" >/dev/null; then echo "not found: at::parallel_for"; exit 1; fi
  exit 0
fi
check "$1"
