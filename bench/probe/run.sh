#!/usr/bin/env bash
# Compares probes of 13 layers of SqueezeNet, with two classifiers on five folds,
# with training a linear layer on each of them in jobs of their own: 130 jobs either
# way. Of the separate jobs those of one fold are run, for EPOCHS passes (10, fewer
# than such a layer needs to converge), and their time is counted five times.
#
#   bench/probe/run.sh PICTURES SQUEEZENET [EPOCHS]
set -euo pipefail
pictures=$(realpath "${1:?usage: run.sh PICTURES SQUEEZENET [EPOCHS]}")
network=$(realpath "${2:?usage: run.sh PICTURES SQUEEZENET [EPOCHS]}")
epochs=${3:-10}
orchestrator=$(realpath "${ORCHESTRATOR:-bin/orchestrator}")
ORCHESTRATOR_ONNXRUNTIME_LIBRARY=${ORCHESTRATOR_ONNXRUNTIME_LIBRARY:-$(find "$PWD/build/onnxruntime/lib" -name 'libonnxruntime.so*' | head -1)}
export ORCHESTRATOR_ONNXRUNTIME_LIBRARY
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

layers=(conv1_2 pool1_1 fire2/concat_1 fire3/concat_1 pool3_1 fire4/concat_1 fire5/concat_1 pool5_1
        fire6/concat_1 fire7/concat_1 fire8/concat_1 fire9/concat_1 conv10_2)
common="dataset: {path: $pictures, include: [\"*.jpg\"]}
model: {base: $network}
preprocessing: {resize: [256, 256], crop: 224, center_crop: true, channels: bgr, mean: [104, 117, 123]}"
{
  echo "name: probes"
  echo "$common"
  echo "probe: {layers: [$(IFS=,; echo "${layers[*]}")]}"
} > probes.yaml
mkdir -p folds/test1
(cd "$pictures" && find . -name '*.jpg' | sort) | sed 's#^\./##' > files.txt
label() { awk -F/ "{ print \$0, \$(NF-1) }"; }
label < files.txt | awk 'NR % 5 == 0' > folds/test1/test.txt
label < files.txt | awk 'NR % 5 != 0' > folds/test1/train.txt
{
  echo "name: separate"
  echo "${common/include:/folds: folds, include:}"
  echo "training: {learning_rate: 0.00001, epochs: $epochs, batch_size: 32, cache_features: off}"
  echo "parameters:"
  echo "  model.surgery:"
  echo "    values:"
  for layer in "${layers[@]}"; do
    echo "      $layer: [{insert_probe: {after: $layer, name: probe, outputs: 2, init: {gaussian: 0.0001}}}]"
  done
  echo "  training.loss: {values: [softmax, hinge]}"
} > separate.yaml

seconds() { # SWEEP: runs it with a store and a cache of its own
  local began ended
  began=$(date +%s.%N)
  "$orchestrator" run "$1.yaml" --store "$work/$1-store" --cache-dir "$work/$1-cache" > "$1.log" 2>&1 || { tail -20 "$1.log" >&2; return 1; }
  ended=$(date +%s.%N)
  awk -v a="$began" -v b="$ended" 'BEGIN { printf "%.1f", b - a }'
}
probes=$(seconds probes)
separate=$(seconds separate)
grep -E 'softmax|svm' probes.log | grep -v '^\[' || true
awk -v p="$probes" -v s="$separate" -v e="$epochs" 'BEGIN {
  printf "probes: 130 fits in %s s\nseparate jobs: 26 of %d epochs in %s s, 130 in %.0f s\nratio: 1/%.0f\n", p, e, s, 5 * s, 5 * s / p }'
