#!/usr/bin/env bash
# Makes a folder with all that run.sh needs on a machine that has no Go, no network
# and no repository: the programs, the library, the networks and the scripts, in pieces
# of less than 60 MB each, as some machines take uploads in pieces. On that machine:
#
#   bash FOLDER/unpack.sh PLACE && PLACE/bench/gpu/run.sh
#
# The machine is Linux on x86-64 with glibc 2.34 or newer, the driver and PyTorch, whose
# own CUDA libraries are used. WITH_CUDA=1 packs those of make setup-cuda too.
#
#   pack.sh FOLDER [PICTURES NETWORK]
#
# PICTURES and NETWORK are photographs and the network to fine-tune: see run.sh. LEVEL=6
# makes the pieces some tenths smaller, and takes minutes.
set -euo pipefail
folder=${1:?usage: pack.sh FOLDER [PICTURES NETWORK]}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
pictures=${2:+$(realpath "$2")}
network=${3:+$(realpath "$3")}
cd "$(dirname "$0")/../.."
library=${LIBRARY:-build/onnxruntime-cuda/lib}
models=${MODELS:-build/light}
[ -e "$library/libonnxruntime_providers_cuda.so" ] || { echo "there is no CUDA library in $library: make setup-cuda" >&2; exit 1; }
for name in squeezenet resnet50; do
  [ -f "$models/light_$name.onnx" ] || { echo "there is no light_$name.onnx in $models: make light-models" >&2; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/lib" "$work/build/light" "$work/bench/engine" "$work/bench/gpu"
go build -trimpath -ldflags '-s -w' -o "$work/bin/orchestrator" ./cmd/orchestrator
go build -trimpath -ldflags '-s -w' -o "$work/bin/bench-engine" ./bench/engine
if [ -n "${WITH_CUDA:-}" ]; then cp -a "$library"/*.so* "$work/lib/"; else cp -a "$library"/libonnxruntime*.so* "$work/lib/"; fi
cp "$models"/light_squeezenet.onnx "$models"/light_resnet50.onnx "$work/build/light/"
cp bench/engine/torch_step.py "$work/bench/engine/"
cp bench/gpu/*.sh bench/gpu/report.py "$work/bench/gpu/"
if [ -n "$pictures" ] && [ -n "$network" ]; then
  cp -r "$pictures" "$work/pictures"
  cp "$network" "$work/pictures.onnx"
fi

rm -f "$folder"/orchestrator-gpu.tar.xz.*
tar -C "$work" --owner=0 --group=0 -cf - . | xz -T0 "-${LEVEL:-1}" | split -b 58000000 - "$folder/orchestrator-gpu.tar.xz."
(cd "$folder" && sha256sum orchestrator-gpu.tar.xz.* >SHA256SUMS)
cat >"$folder/unpack.sh" <<'END'
#!/usr/bin/env bash
# Unpacks the pieces beside it into PLACE: unpack.sh PLACE
set -euo pipefail
place=${1:?usage: unpack.sh PLACE}
mkdir -p "$place"
place=$(cd "$place" && pwd)
cd "$(dirname "$0")"
sha256sum --check --quiet SHA256SUMS
if command -v xz >/dev/null; then
  cat orchestrator-gpu.tar.xz.* | tar -C "$place" -xJf -
else # Python has the same decompressor
  cat orchestrator-gpu.tar.xz.* | python3 -c 'import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode="r|xz").extractall(sys.argv[1])' "$place"
fi
END
du -h "$folder"/*
