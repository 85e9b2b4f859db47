#!/usr/bin/env bash
# Installs a pinned ONNX Runtime library with its CUDA provider into DIR/lib, for this
# machine: Linux, x86-64 or (CUDA 13) arm64. It is taken out of the Python package
# onnxruntime-gpu, which pip fetches and whose hash pip checks; no Python is needed
# later. A second call checks what is there, and fetches nothing if it is whole.
#
#   install-onnxruntime-cuda.sh [--cuda 12|13] [--with-cuda] [--with-tensorrt] [--pins FOLDER] DIR
#
#   --cuda 12|13      the major release of CUDA that the host has (13)
#   --with-cuda       also CUDA's and cuDNN's own libraries, about 1.5 GB, for a host
#                     that has no more than the driver
#   --with-tensorrt   also the TensorRT provider (TensorRT itself is not fetched)
#   --pins FOLDER     the requirements files, others than trainer/ort/library's
#
# pip's own settings apply: PIP_FIND_LINKS=FOLDER PIP_NO_INDEX=1 takes wheels that were
# fetched elsewhere.
set -euo pipefail
cuda=13
runtime=
tensorrt=
pins=$(cd "$(dirname "$0")/.." && pwd)/trainer/ort/library
dir=

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

usage() {
  sed -n '/^#   install/,/^#   --pins/ s/^#   //p' "$0" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case "$1" in
    --cuda) cuda=${2:-}; shift ;;
    --with-cuda) runtime=yes ;;
    --with-tensorrt) tensorrt=yes ;;
    --pins) pins=${2:-}; shift ;;
    -*) usage ;;
    *) [ -z "$dir" ] || usage; dir=$1 ;;
  esac
  shift || usage
done
[ -n "$dir" ] || usage
case "$cuda" in 12 | 13) ;; *) fail "CUDA $cuda: there is a pinned library for CUDA 12 and one for CUDA 13" ;; esac

case "$cuda $(uname -s)/$(uname -m)" in
  *" Linux/x86_64") machine=x86_64 glibc=2.28 ;;
  "13 Linux/aarch64") machine=aarch64 glibc=2.34 ;;
  "12 Linux/aarch64") fail "the library for CUDA 12 is made for x86-64 alone; on arm64 use --cuda 13" ;;
  *) fail "there is no CUDA library for $(uname -s)/$(uname -m): it is made for Linux on x86-64 and arm64" ;;
esac
have=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/^glibc //') || true
[ -n "$have" ] || fail "the library needs the GNU C library, which this system does not have (Alpine has musl); use a Debian, Ubuntu or Red Hat"
[ "$(printf '%s\n' "$glibc" "$have" | sort -V | head -n 1)" = "$glibc" ] || fail "the library needs glibc $glibc or newer; this system has $have"
python=${PYTHON:-python3}
"$python" -m pip --version >/dev/null 2>&1 ||
  fail "$python with pip is needed to fetch the library (Debian: apt-get install python3-pip)" \
    "or, on a machine that has both: $0 ... and copy the folder; or name your own library with --onnxruntime-library"

wanted=("$pins/cuda-$cuda.txt")
[ -z "$runtime" ] || wanted+=("$pins/cuda-$cuda-runtime.txt")
for file in "${wanted[@]}"; do
  [ -f "$file" ] || fail "there is no $file"
done
# What is there is what was asked for if its label says the same.
label="CUDA $cuda for $machine${tensorrt:+ with TensorRT}, pins $(cat "${wanted[@]}" | sha256sum | cut -d' ' -f1)"

tell() {
  local lib
  lib=$(cd "$dir/lib" && pwd)
  echo "ONNX Runtime for CUDA $cuda is in $lib; name it to the program with"
  echo "  export ORCHESTRATOR_ONNXRUNTIME_LIBRARY=$lib"
  [ -n "$runtime" ] || echo "CUDA's and cuDNN's own libraries are the host's (or fetch them: --with-cuda); \`orchestrator doctor\` tells what is missing"
}

if [ "$(head -n 1 "$dir/lib/.ready" 2>/dev/null)" = "$label" ] &&
  (cd "$dir/lib" && tail -n +2 .ready | sha256sum --check --status 2>/dev/null); then
  tell
  exit 0
fi

mkdir -p "$dir"
work=$(mktemp -d "$dir/pip.XXXXXX")
trap 'rm -rf "$work"' EXIT
platforms=()
for tag in manylinux_2_34 manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014 manylinux_2_12 manylinux2010; do
  platforms+=(--platform "${tag}_$machine")
done
[ "$machine" = aarch64 ] || platforms=("${platforms[@]:2}") # no wheel that wants a newer glibc than was checked
for file in "${wanted[@]}"; do
  # The wheel of one Python version, whatever the host's is: the shared libraries do not use it.
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
    "${platforms[@]}" --python-version 3.12 --implementation cp --dest "$work/wheels" --requirement "$file" ||
    fail "pip could not fetch what $file pins, or it is not what its hash says; $dir is as it was"
done

mkdir "$work/lib"
"$python" - "$work/wheels" "$work/lib" "${tensorrt:-no}" <<'PYTHON'
import fnmatch, glob, os, shutil, sys, zipfile

wheels, into, tensorrt = sys.argv[1:]
# Libraries that nothing here loads: drop-in replacements and compilers' second editions.
unused = ["libnvblas.*", "libcufftw.*", "*.alt.*"] + ([] if tensorrt == "yes" else ["libonnxruntime_providers_tensorrt.*"])
for wheel in sorted(glob.glob(os.path.join(wheels, "*.whl"))):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            base = os.path.basename(name)
            library = fnmatch.fnmatch(name, "onnxruntime/capi/libonnxruntime*.so*") or fnmatch.fnmatch(name, "nvidia/*/lib/lib*.so*")
            if library and not any(fnmatch.fnmatch(base, u) for u in unused):
                with archive.open(name) as source, open(os.path.join(into, base), "wb") as target:
                    shutil.copyfileobj(source, target)
        os.remove(wheel)  # the disk need not hold everything twice
PYTHON
cd "$work/lib"
set -- libonnxruntime.so.1.*
[ -f "$1" ] && [ -f libonnxruntime_providers_cuda.so ] && [ -f libonnxruntime_providers_shared.so ] ||
  fail "the package that $pins/cuda-$cuda.txt pins holds no libonnxruntime with a CUDA provider"
ln -s "$1" libonnxruntime.so.1
{
  echo "$label"
  sha256sum -- *.so*
} >.ready
chmod 0644 -- *.so*
cd - >/dev/null
rm -rf "${dir:?}/lib"
mv "$work/lib" "$dir/lib"
tell
