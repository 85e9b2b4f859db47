#!/usr/bin/env bash
# Proves training on an NVIDIA GPU, beside PyTorch on the same card, in under eight
# minutes. It needs this repository (or what pack.sh made of it), `make setup-cuda`
# and a python3 with PyTorch 2.3 or newer; no network.
#
#   bench/gpu/run.sh            all parts; OUT/report.json has every figure
#   DEVICE=cpu ... run.sh       the same on the processors, to try the script itself
#
# The parts, each of which prints pass, MISS or why it cannot run:
#
#   devices  what the machine has, and a small network trained on it (doctor)
#   losses   of the first steps beside the CPU's; nodes that are left to the CPU; bytes
#            between the memories in a step beside those of the mini-batch
#   times    of a step beside PyTorch's, in turns, in each precision; device memory
#   sweep    a whole run; then once more with kill -9 of a trainer, of the whole run,
#            and the same command again
#
# Settings, from the environment:
#
#   DEVICE (cuda), PYTHON (python3), OUT (build/gpu-bench), PARTS (all four)
#   MODELS        folder with light_squeezenet.onnx and light_resnet50.onnx (build/light)
#   CASES         of times (caffenet:128 squeezenet:64 resnet50:64); CHECKS of losses
#   PRECISIONS    (float32,tf32,bfloat16,float16; on the CPU float32)
#   ROUNDS (2), STEPS (20) of times
#   DETERMINISTIC (true)   as training.deterministic of sweep files
#   PICTURES, NETWORK   class folders of photographs, and the network that is fine-tuned
#                 on them for the sweep (examples/hymenoptera.yaml's); else drawn ones
#   ORCHESTRATOR_ONNXRUNTIME_LIBRARY   as for the program itself
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 2
if [ -f pictures.onnx ] && [ -z "${PICTURES:-}" ]; then # as pack.sh has put them
  export PICTURES=$root/pictures NETWORK=$root/pictures.onnx
fi
device=${DEVICE:-cuda}
python=${PYTHON:-python3}
out=${OUT:-build/gpu-bench}
parts=${PARTS:-devices losses times sweep}
models=${MODELS:-build/light}
orchestrator=${ORCHESTRATOR:-$root/bin/orchestrator}
engine=${ENGINE:-$root/bin/bench-engine}
if [ "$device" = cpu ]; then precisions=${PRECISIONS:-float32}; else precisions=${PRECISIONS:-float32,tf32,bfloat16,float16}; fi
read -ra cases <<<"${CASES:-caffenet:128 squeezenet:64 resnet50:64}"
read -ra checks <<<"${CHECKS:-caffenet:16 squeezenet:16 resnet50:8}"

mkdir -p "$out"
out=$(cd "$out" && pwd)
rm -rf "${out:?}"/*
lines=()

# tell PART VERDICT WORDS: a line of the summary.
tell() {
  printf '== %s: %s%s\n' "$1" "$2" "${3:+: $3}"
  lines+=("$1"$'\t'"$2"$'\t'"${3:-}")
}

# wants PART: it is one of those asked for.
wants() { [[ " $parts " == *" $1 "* ]]; }

for program in "$orchestrator" "$engine"; do
  [ -x "$program" ] || {
    echo "there is no $program: make bench-gpu builds it, or pack.sh where Go is" >&2
    exit 2
  }
done
if [ -z "${ORCHESTRATOR_ONNXRUNTIME_LIBRARY:-}" ]; then
  for lib in "$root/lib" "$root/build/onnxruntime-cuda/lib" "$root/build/onnxruntime/lib"; do
    if [ -e "$lib/libonnxruntime.so.1" ] && { [ "$device" = cpu ] || [ -e "$lib/libonnxruntime_providers_cuda.so" ]; }; then
      export ORCHESTRATOR_ONNXRUNTIME_LIBRARY=$lib
      break
    fi
  done
fi
torch=$("$python" -c 'import torch; print(torch.__version__)' 2>/dev/null) || torch=
# CUDA's and cuDNN's libraries may be the ones that came with PyTorch.
if [ "$device" = cuda ] && ! compgen -G "${ORCHESTRATOR_ONNXRUNTIME_LIBRARY:-/nowhere}/libcudart.so.*" >/dev/null && [ -n "$torch" ]; then
  folders=$("$python" -c 'import glob, os, torch; print(":".join(glob.glob(os.path.join(os.path.dirname(os.path.dirname(torch.__file__)), "nvidia", "*", "lib"))))')
  export LD_LIBRARY_PATH=$folders${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
export ORCHESTRATOR_CACHE_DIR=$out/cache
{
  echo "device $device, PyTorch ${torch:-none}, library ${ORCHESTRATOR_ONNXRUNTIME_LIBRARY:-of the system}"
  "$orchestrator" version
  uname -srm
  nproc
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>&1
} >"$out/machine.txt"
cat "$out/machine.txt"

# judge PART CODE: what a program that says by its exit code whether goals are met.
judge() {
  if [ "$2" -eq 0 ]; then tell "$1" pass; else tell "$1" MISS "${3:-see $out/$1.log}"; fi
}

devices() {
  "$orchestrator" doctor --devices "$device" --store "$out/store" --output json >"$out/doctor.json" 2>"$out/devices.log"
  local code=$?
  "$orchestrator" doctor "--providers=$device" --train --output json >"$out/devices.json" 2>>"$out/devices.log" || code=$?
  cat "$out/doctor.json" "$out/devices.json" "$out/devices.log"
  judge devices "$code"
}

have_models() {
  local network
  for network in "$@"; do
    network=${network%%:*}
    [ "$network" = caffenet ] || [ -f "$models/light_$network.onnx" ] || return 1
  done
}

losses() {
  have_models "${checks[@]}" || { tell losses "cannot run" "there is no network in $models (make light-models)"; return; }
  "$engine" -models "$models" -device "$device" -precision "$precisions" -deterministic="${DETERMINISTIC:-true}" -check -steps 5 -json "$out/losses.json" "${checks[@]}" 2>&1 | tee "$out/losses.log"
  judge losses "${PIPESTATUS[0]}"
}

times() {
  [ -n "$torch" ] || { tell times "cannot run" "$python has no PyTorch"; return; }
  have_models "${cases[@]}" || { tell times "cannot run" "there is no network in $models (make light-models)"; return; }
  "$engine" -models "$models" -python "$python" -device "$device" -precision "$precisions" -deterministic="${DETERMINISTIC:-true}" -rounds "${ROUNDS:-2}" -steps "${STEPS:-20}" \
    -json "$out/times.json" "${cases[@]}" 2>&1 | tee "$out/times.log"
  judge times "${PIPESTATUS[0]}"
}

sweep() {
  DEVICE=$device "$root/bench/gpu/sweep.sh" "$orchestrator" "$out/sweep" 2>&1 | tee "$out/sweep.log"
  local code=${PIPESTATUS[0]}
  [ ! -f "$out/sweep/sweep.json" ] || cp "$out/sweep/sweep.json" "$out/sweep.json"
  judge sweep "$code"
}

began=$SECONDS
for part in devices losses times sweep; do
  if wants "$part"; then
    at=$SECONDS
    "$part"
    echo "   ($part took $((SECONDS - at)) s)"
  fi
done
printf '%s\n' "${lines[@]}" >"$out/summary.tsv"
"$python" "$root/bench/gpu/report.py" "$out" $((SECONDS - began))
