#!/bin/sh
# Finds or fetches libtorch 2.11.0 and makes gotch v0.9.1 build on it.
#
# usage: setup-gotch.sh         set up; does nothing where that is done
#        setup-gotch.sh --env   print the variables that the Go build needs
#        setup-gotch.sh --cuda  set up, and fetch the CUDA half of the wheel's libtorch (1.5 GB)
#
# Looks in this order, and takes the first that is there:
#   1. $LIBTORCH, a folder with include/ and lib/
#   2. the cache, ${XDG_CACHE_HOME:-~/.cache}/revela
#   3. the active Python's torch (${PYTHON:-python3})
#   4. the official archive (base address: $LIBTORCH_URL), for CUDA where the machine has a driver for it
#   5. the wheel in the index that pip is configured for: 134 MB of its 531 where the server honours ranges
# 4 and 5 are copied into the cache, 1 and 3 linked. Nothing is written anywhere else.
#
# A folder of the cache has include/, lib/ and stub/. Its name carries version, variant and, where it is
# linked, a hash of what it links to; its content never changes: Go's build cache knows a library by its path
# alone, so the same path must always mean the same library.
set -eu

version=2.11.0
# What the wheel's libtorch_cpu.so needs of CUDA even on a CPU; other variants bring theirs along.
cuda_runtime=nvidia-cuda-runtime==13.0.96
cuda_profiler=nvidia-cuda-cupti==13.0.85
# The wheel's CUDA half with what it loads: requirement, folder, libraries. Of cuDNN only the door is there, as the
# program calls nothing of it; cuSOLVER and Triton are not loaded at all.
cuda_half="
torch==$version torch/lib libtorch_cuda.so libc10_cuda.so libtorch_nvshmem.so libcaffe2_nvrtc.so
nvidia-cublas==13.1.0.3 nvidia/cu13/lib libcublas.so.13 libcublasLt.so.13
$cuda_runtime nvidia/cu13/lib libcudart.so.13
nvidia-cufft==12.0.0.61 nvidia/cu13/lib libcufft.so.12
nvidia-cufile==1.15.1.6 nvidia/cu13/lib libcufile.so.0
nvidia-curand==10.4.0.35 nvidia/cu13/lib libcurand.so.10
nvidia-cusparse==12.6.3.3 nvidia/cu13/lib libcusparse.so.12
nvidia-nvjitlink==13.0.88 nvidia/cu13/lib libnvJitLink.so.13
nvidia-cuda-nvrtc==13.0.88 nvidia/cu13/lib libnvrtc.so.13 libnvrtc-builtins.so.13.0
nvidia-cudnn-cu13==9.19.0.56 nvidia/cudnn/lib libcudnn.so.9
nvidia-cusparselt-cu13==0.8.0 nvidia/cusparselt/lib libcusparseLt.so.0
nvidia-nccl-cu13==2.28.9 nvidia/nccl/lib libnccl.so.2
nvidia-nvshmem-cu13==3.4.5 nvidia/nvshmem/lib libnvshmem_host.so.3
"
# The -l flags in gotch's lib.go that empty archives satisfy.
unneeded_libraries='torch torch_cuda c10_cuda cuda cudart cublas cudnn caffe2_nvrtc nvrtc nvrtc-builtins nvToolsExt'

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/revela
python=${PYTHON:-python3}
layout= # the folder that the build uses, once found
origin= # where it came from, in words

main() {
  case ${1-} in
    --env) print_environment ;;
    --cuda) set_up_cuda ;;
    '') set_up ;;
    *) die "unknown argument $1: expected nothing, --env or --cuda" ;;
  esac
}

print_environment() {
  find_layout || die 'libtorch is not set up: run make setup'
  # -fno-trapping-math: else GCC vectorises no loop with a comparison of floats on processors without AVX-512. It changes no
  # result, and is here because cgo allows it in no source file.
  # -trimpath keeps the checkout's folder out of the key of Go's build cache: a second clone compiles no C++.
  flags=$(go env GOFLAGS)
  case " $flags " in
    *' -trimpath '*) ;;
    *) flags="-trimpath${flags:+ $flags}" ;;
  esac
  cat <<ENVIRONMENT
export GOFLAGS="$flags"
export CGO_CXXFLAGS="-O2 -fno-trapping-math -I$layout/include -I$layout/include/torch/csrc/api/include -include gotch_compat.h -w"
export CGO_LDFLAGS="-L$layout/stub -L$layout/lib -Wl,-rpath,$layout/lib"
ENVIRONMENT
}

set_up() {
  check_system
  check_tools
  if ! find_layout; then
    mkdir -p "$cache"
    lock
    # Another run may have laid it while this one waited.
    if ! find_layout; then lay; fi
  fi
  echo "libtorch $version, $origin: $layout"
  hint_cuda
}

# set_up_cuda puts the CUDA half beside the folder that the build uses: the program finds it there and loads it at run time,
# so nothing is compiled or linked anew.
set_up_cuda() {
  set_up
  if [ -e "$layout/lib/libtorch_cuda.so" ]; then
    echo "its CUDA half: $layout/lib/libtorch_cuda.so"
    return
  fi
  readelf -d "$layout/lib/libtorch_cpu.so" | grep -q 'NEEDED.*libcudart' ||
    die "$layout is built without CUDA: expected the wheel's libtorch, or LIBTORCH=FOLDER of one with CUDA"
  half=$(dirname "$(realpath -s "$layout")")/cuda-$version
  if [ ! -f "$half/.done" ]; then
    check_python
    lock
    [ -f "$half/.done" ] || lay_cuda
  fi
  echo "its CUDA half, from the wheels: $half"
}

lay_cuda() {
  begin "$half"
  echo "$cuda_half" | while read -r requirement folder names; do
    [ -n "$requirement" ] || continue
    # shellcheck disable=SC2046 # names are words of their own
    fetch "$requirement" $(printf "$folder/%s " $names) || die "$requirement is missing: see above"
  done
  rm -rf "$cache/download"
  mv "$part"/members/* "$part/"
  rmdir "$part/members"
  : >"$part/.done"
  sync -f "$part/.done"
  rm -rf "$half"
  mv "$part" "$half"
}

# lay makes a folder of the cache out of the first source there is. Conditions only ask: sh ignores failures
# of commands inside a condition, and a half-made folder must never be finished.
lay() {
  if [ -n "${LIBTORCH-}" ]; then
    link "$LIBTORCH" "linked to LIBTORCH=$LIBTORCH"
  elif folder=$(python_torch) && [ "$(version_of "$folder")" = "$version" ]; then
    link "$folder" "linked to Python's torch, $folder"
  else
    check_python
    begin "$cache/libtorch-$version-$(wanted_variant)"
    if fetch_archive; then
      lay_archive
    else
      begin "$cache/libtorch-$version-cpu"
      lay_wheel
    fi
  fi
}

# --- what is there -----------------------------------------------------------------------------------------

# find_layout sets layout and origin to a finished folder: $LIBTORCH's, else the cache's own, else a linked one.
find_layout() {
  if [ -n "${LIBTORCH-}" ]; then
    check_libtorch "$LIBTORCH"
    use "$(linked_name "$LIBTORCH")" "linked to LIBTORCH=$LIBTORCH"
    return
  fi
  use "$cache/libtorch-$version-$(wanted_variant)" 'from the cache' && return
  use "$cache/libtorch-$version-cpu" 'from the cache' && return
  for candidate in "$cache/libtorch-$version-"*-*/; do
    candidate=${candidate%/}
    [ -f "$candidate/.source" ] || continue
    source=$(cat "$candidate/.source")
    # A library that was removed or replaced since gives another name, or none.
    [ "$(linked_name "$source" 2>/dev/null)" = "$candidate" ] || continue
    use "$candidate" "linked to $source" && return
  done
  return 1
}

# use takes a folder of the cache when it is finished: .done is the last file written into it.
use() {
  [ -f "$1/.done" ] || return 1
  layout=$1 origin=$2
}

# linked_name prints the cache folder for a libtorch elsewhere. Its hash covers place, size and time of the
# library, so that an upgrade in place gives another name; a folder that this script has laid is its own.
linked_name() {
  if [ -f "$1/.done" ] && [ -d "$1/stub" ]; then
    realpath -s "$1"
    return
  fi
  library=$(realpath -e "$1/lib/libtorch_cpu.so") || return
  hash=$(stat -c '%n %s %Y' "$library" | sha256sum | cut -c1-8)
  echo "$cache/libtorch-$version-$(variant_of "$1")-$hash"
}

# version_of prints the version that a libtorch's headers tell, such as 2.11.0.
version_of() {
  for header in torch/headeronly/version.h torch/csrc/api/include/torch/version.h; do
    [ -f "$1/include/$header" ] || continue
    sed -n 's/^#define TORCH_VERSION_\(MAJOR\|MINOR\|PATCH\) \([0-9]*\)$/\2/p' "$1/include/$header" | paste -sd .
    return
  done
}

# variant_of prints cpu or cuda.
variant_of() {
  if [ -e "$1/lib/libtorch_cuda.so" ]; then echo cuda; else echo cpu; fi
}

# wanted_variant prints the newest of libtorch's variants that the machine's NVIDIA driver can run, else cpu.
wanted_variant() {
  driver=$(sed -n 's/^NVRM version:[^.]* \([0-9]*\)\..*/\1/p' /proc/driver/nvidia/version 2>/dev/null) || driver=0
  if [ "${driver:-0}" -ge 580 ]; then
    echo cu130
  elif [ "${driver:-0}" -ge 570 ]; then
    echo cu128
  elif [ "${driver:-0}" -ge 525 ]; then
    echo cu126
  else
    echo cpu
  fi
}

hint_cuda() {
  if [ "$(wanted_variant)" != cpu ] && [ "$(variant_of "$layout")" = cpu ]; then
    [ -f "$(dirname "$(realpath -s "$layout")")/cuda-$version/.done" ] ||
      echo "note: this machine has an NVIDIA driver, but this libtorch is for the CPU alone." \
        "make setup-cuda fetches its CUDA half; LIBTORCH=FOLDER names another, such as a Python's torch folder."
  fi
}

# --- linking -----------------------------------------------------------------------------------------------

# python_torch prints the active Python's torch folder when it is of the right version.
python_torch() {
  "$python" - "$version" 2>/dev/null <<'PYTHON'
import importlib.util, pathlib, re, sys
spec = importlib.util.find_spec("torch")  # torch itself is not imported: that takes seconds
folder = pathlib.Path(spec.submodule_search_locations[0])
found = re.search(r"__version__ = ['\"]([^'\"+]+)", (folder / "version.py").read_text()).group(1)
print(folder) if found == sys.argv[1] else sys.exit(1)
PYTHON
}

# link lays a folder whose include/ and lib/ lead to a libtorch elsewhere.
link() {
  target=$(linked_name "$1")
  begin "$target"
  mkdir "$part/include"
  ln -s "$(realpath "$1")"/include/* "$part/include/"
  ln -s "$(realpath "$1/lib")" "$part/lib"
  realpath "$1" >"$part/.source"
  finish "$2"
}

# --- fetching ----------------------------------------------------------------------------------------------

fetch_archive() {
  variant=$(wanted_variant)
  base=${LIBTORCH_URL:-https://download.pytorch.org/libtorch}
  archive=$base/$variant/libtorch-shared-with-deps-$version%2B$variant.zip
  if [ "$variant" = cpu ]; then
    fetch "$archive" 'libtorch/include/*' libtorch/lib/libtorch_cpu.so libtorch/lib/libc10.so 'libtorch/lib/libgomp*'
  else
    fetch "$archive" 'libtorch/include/*' 'libtorch/lib/*.so*'
  fi
}

lay_archive() {
  mv "$part/members/libtorch/include" "$part/members/libtorch/lib" "$part/"
  finish 'from the official archive'
}

lay_wheel() {
  fetch "torch==$version" 'torch/include/*' torch/lib/libtorch_cpu.so torch/lib/libc10.so 'torch/lib/libgomp*' ||
    die "no source of libtorch $version answers: see above; LIBTORCH=FOLDER names one that is here"
  mv "$part/members/torch/include" "$part/members/torch/lib" "$part/"
  if readelf -d "$part/lib/libtorch_cpu.so" | grep -q 'NEEDED.*libcudart'; then
    fetch "$cuda_runtime" '*/libcudart.so.13' || die "$cuda_runtime is missing: see above"
    fetch "$cuda_profiler" '*/libcupti.so.13' || die "$cuda_profiler is missing: see above"
    mv "$part"/members/nvidia/*/lib/* "$part/lib/"
  fi
  finish 'from the wheel'
}

fetch() {
  echo "fetching libtorch: $1" >&2
  "$python" "$here/scripts/fetch_members.py" --output "$part/members" --work "$cache/download" "$@"
}

# begin starts a folder of the cache beside its place; finish completes it and moves it there. The lock is held,
# so what else lies beside is left from a run that was killed.
begin() {
  target=$1 part=$1.part
  rm -rf "$cache"/libtorch-*.part "$cache"/cuda-*.part
  mkdir -p "$part"
}

finish() {
  [ "$(version_of "$part")" = "$version" ] || die "$part is libtorch $(version_of "$part"), expected $version"
  rm -rf "$part/members" "$cache/download"
  cp "$here/scripts/gotch_compat.h" "$part/include/"
  mkdir "$part/stub"
  for name in $unneeded_libraries; do
    ar rcs "$part/stub/lib$name.a"
  done
  : >"$part/.done"
  sync -f "$part/.done"
  rm -rf "$target"
  mv "$part" "$target"
  use "$target" "$1"
}

# lock makes runs beside this one wait until it ends.
lock() {
  exec 9>"$cache/.lock"
  flock 9
}

# --- checks ------------------------------------------------------------------------------------------------

check_system() {
  [ "$(uname -sm)" = 'Linux x86_64' ] || die "this system is $(uname -sm), but only Linux x86_64 is supported"
  libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || libc=none # such as: glibc 2.36
  [ "${libc#glibc 2.}" != "$libc" ] && [ "${libc#glibc 2.}" -ge 28 ] ||
    die "this system's C library is $libc, but libtorch $version needs glibc 2.28 or newer"
  case $cache in
    *[!A-Za-z0-9_./+@=:,-]*) die "the cache is $cache, but a compiler's flags need a path without blanks: set XDG_CACHE_HOME" ;;
  esac
}

check_libtorch() {
  [ -f "$1/lib/libtorch_cpu.so" ] || die "LIBTORCH=$1: has no lib/libtorch_cpu.so"
  found=$(version_of "$1")
  [ "$found" = "$version" ] || die "LIBTORCH=$1: is libtorch ${found:-without headers}, expected $version"
}

check_tools() {
  packages=
  have "${CXX:-g++}" || packages="$packages g++"
  have ar && have readelf || packages="$packages binutils"
  have flock || packages="$packages util-linux"
  [ -z "$packages" ] || install "$packages"
  have go || die 'Go is missing: install 1.26 or newer from https://go.dev/dl/'
  reply=$(cd "$here" && go env GOVERSION 2>&1) || die "$reply: install 1.26 or newer from https://go.dev/dl/"
}

# check_python: only fetching needs pip, for its index.
check_python() {
  "$python" -m pip --version >/dev/null 2>&1 || install ' python3 python3-pip ca-certificates'
}

have() { command -v "$1" >/dev/null 2>&1; }

install() {
  if [ "$(id -u)" != 0 ] || ! have apt-get; then
    die "missing:$1 (apt-get install$1)"
  fi
  echo "installing$1" >&2
  # shellcheck disable=SC2086 # package names are words of their own
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $1; } >&2 ||
    die "apt-get could not install$1"
}

die() {
  echo "setup-gotch.sh: $*" >&2
  exit 1
}

main "$@"
