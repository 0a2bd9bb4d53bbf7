# The one place where LibTorch is found. reseda_torch carries its headers, torch_cpu and c10, and nothing of CUDA.
set(RESEDA_TORCH_VERSION 2.11.0)
if(NOT Torch_ROOT)
  if(DEFINED ENV{RESEDA_CACHE})
    set(torch_cache $ENV{RESEDA_CACHE})
  elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(torch_cache $ENV{XDG_CACHE_HOME}/reseda)
  else()
    set(torch_cache $ENV{HOME}/.cache/reseda)
  endif()
  set(Torch_ROOT ${torch_cache}/libtorch-${RESEDA_TORCH_VERSION})
endif()
set(Torch_ROOT ${Torch_ROOT} CACHE PATH "Folder with LibTorch's include/ and lib/")

foreach(needed include/torch/csrc/api/include/torch/torch.h lib/libtorch_cpu.so lib/libc10.so)
  if(NOT EXISTS ${Torch_ROOT}/${needed})
    message(FATAL_ERROR "LibTorch not found: ${Torch_ROOT}/${needed} does not exist. Run scripts/setup.sh, or give "
                        "-DTorch_ROOT=FOLDER of LibTorch ${RESEDA_TORCH_VERSION}.")
  endif()
endforeach()
file(STRINGS ${Torch_ROOT}/include/torch/headeronly/version.h torch_version_lines REGEX "define TORCH_VERSION_(MAJOR|MINOR) ")
string(REGEX MATCHALL "[0-9]+" torch_version_numbers "${torch_version_lines}")
list(JOIN torch_version_numbers "." torch_found)
if(NOT RESEDA_TORCH_VERSION MATCHES "^${torch_found}\\.")
  message(FATAL_ERROR "LibTorch in ${Torch_ROOT} is version ${torch_found}; reseda needs ${RESEDA_TORCH_VERSION}.")
endif()

find_package(Threads REQUIRED)
add_library(reseda_torch INTERFACE)
target_include_directories(reseda_torch SYSTEM INTERFACE $<BUILD_INTERFACE:${Torch_ROOT}/include>
                           $<BUILD_INTERFACE:${Torch_ROOT}/include/torch/csrc/api/include>)
target_link_libraries(reseda_torch INTERFACE $<BUILD_INTERFACE:${Torch_ROOT}/lib/libtorch_cpu.so>
                      $<BUILD_INTERFACE:${Torch_ROOT}/lib/libc10.so> Threads::Threads ${CMAKE_DL_LIBS})
# The OpenMP runtime that LibTorch brings is GCC's: modules/core/parallel.cpp shares it. A second one would spread loops
# inside LibTorch's loops, so other compilers go without.
file(GLOB torch_openmp ${Torch_ROOT}/lib/libgomp*.so*)
if(torch_openmp AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  set(RESEDA_OPENMP_FLAGS -fopenmp)
  target_link_libraries(reseda_torch INTERFACE $<BUILD_INTERFACE:${torch_openmp}>)
endif()
target_link_options(reseda_torch INTERFACE $<BUILD_INTERFACE:-Wl,-rpath-link,${Torch_ROOT}/lib>)
list(APPEND CMAKE_BUILD_RPATH ${Torch_ROOT}/lib)
set(CMAKE_INSTALL_RPATH $ORIGIN/../${CMAKE_INSTALL_LIBDIR} ${Torch_ROOT}/lib)
