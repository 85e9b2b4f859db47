#!/usr/bin/env bash
# Installs the pinned ONNX Runtime library into DIR/lib: for this machine, or for one
# of a kind that is named, as linux/arm64.
# npm checks the integrity hash of the lock file; install scripts stay off, as
# they would download parts that are not needed.
set -euo pipefail
dir=${1:?usage: install-onnxruntime.sh DIR [SYSTEM/PROCESSOR]}
target=${2:-$(uname -s)/$(uname -m)}
here=$(cd "$(dirname "$0")/.." && pwd)

case "$target" in
  Linux/x86_64 | linux/amd64) from=linux/x64 ;;
  Linux/aarch64 | linux/arm64) from=linux/arm64 ;;
  Darwin/arm64 | darwin/arm64) from=darwin/arm64 ;;
  *) echo "no pinned ONNX Runtime library for $target; give your own with --onnxruntime-library" >&2; exit 1 ;;
esac
command -v npm >/dev/null || { echo "npm is needed to fetch the ONNX Runtime library; or give your own with --onnxruntime-library" >&2; exit 1; }

mkdir -p "$dir"
work=$(mktemp -d "$dir/npm.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$here"/trainer/ort/library/package.json "$here"/trainer/ort/library/package-lock.json "$work"
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
rm -rf "$dir/lib"
mkdir -p "$dir/lib"
cp "$work"/node_modules/onnxruntime-node/bin/napi-v6/"$from"/libonnxruntime* "$dir/lib/"
touch "$dir/lib/.ready"
echo "ONNX Runtime is in $dir/lib: $(cd "$dir/lib" && ls)"
