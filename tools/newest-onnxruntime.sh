#!/usr/bin/env bash
# Puts the library of the newest ONNX Runtime that pip finds into DIR, for the tests:
# nothing of the program depends on it, and so it is not pinned.
set -euo pipefail
dir=${1:?usage: newest-onnxruntime.sh DIR}
rm -rf "$dir"
mkdir -p "$dir"
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$dir" onnxruntime
(cd "$dir" && python3 -m zipfile -e ./*.whl wheel && cp wheel/onnxruntime/capi/libonnxruntime.so.* . && rm -rf wheel)
ls "$dir"
