#!/usr/bin/env bash
# Trains every network of the ONNX zoo's light set, and CaffeNet, through the
# command line: ten updates with one and the same mini-batch, whose loss has to
# fall. Nothing depends on which network it is: its input's size and its layers are
# read from `model inspect`, all its convolutions and fully connected layers begin
# with new weights (those of the light models are all equal), the last one with as
# many outputs as there are classes.
#
#   tools/zoo.sh [FILE | builtin:NAME]...
#
# Without arguments: build/light/*.onnx and builtin:caffenet. ZOO_BATCH pictures
# are in the mini-batch (4), ZOO_STEPS updates are done (10), at the rate ZOO_RATE
# (0.01). Gradients are clipped: new weights need it at such a rate.
set -euo pipefail
cd "$(dirname "$0")/.."
orchestrator=${ZOO_ORCHESTRATOR:-$PWD/bin/orchestrator}
batch=${ZOO_BATCH:-4}
steps=${ZOO_STEPS:-10}
models=("$@")
if [ ${#models[@]} -eq 0 ]; then
  models=(build/light/*.onnx builtin:caffenet)
fi
for i in "${!models[@]}"; do
  if [[ ${models[i]} != builtin:* ]]; then
    [ -f "${models[i]}" ] || { echo "there is no ${models[i]}: give files, or put them into build/light" >&2; exit 2; }
    models[i]=$(realpath "${models[i]}")
  fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# The mini-batch is the one fold's training set; what is tested on does not matter,
# but is of the same classes.
"$orchestrator" dataset example pictures --pictures $((batch + 4)) --size 64 >/dev/null
mkdir -p folds/test1
find pictures -name '*.png' | sort -t/ -k3 | awk -F/ '{print $0, $2}' >all.txt
head -n "$batch" all.txt >folds/test1/train.txt
tail -n +$((batch + 1)) all.txt | awk 'NR == FNR { trained[$2]; next } $2 in trained' folds/test1/train.txt - >folds/test1/test.txt

# sweep MODEL writes the sweep file for a network.
sweep() {
  local report size
  report=$("$orchestrator" model inspect "$1")
  size=$(sed -n 's/.*: input [^ ]* N×[0-9]*×\([0-9]*\)×.*/\1/p' <<<"$report")
  cat <<END
name: zoo
dataset: {path: all.txt, folds: folds}
model:
  base: "$1"
  surgery:
END
  awk '$2 == "Conv" || $2 == "Gemm" { split($3, shape, "×"); name[++n] = $1; outputs[n] = shape[2] }
    END {
      for (i = 1; i < n; i++)
        printf "    - {replace: {name: \"%s\", outputs: %d, init: {msra: true}}}\n", name[i], outputs[i]
      printf "    - {replace: {name: \"%s\", outputs: 3, init: {gaussian: 0.01}}}\n", name[n]
    }' <<<"$report"
  cat <<END
preprocessing: {resize: [$size, $size], mean: [128, 128, 128], scale: 0.0078125}
training: {learning_rate: ${ZOO_RATE:-0.01}, clip_norm: 1, epochs: $steps, batch_size: $batch}
resources: {max_restarts: 0}
checkpoints: {every_epochs: 0}
END
}

printf '%-28s %10s %10s %8s\n' MODEL 'FIRST LOSS' 'LAST LOSS' SECONDS
failed=0
for model in "${models[@]}"; do
  name=$(basename "$model" .onnx)
  sweep "$model" >sweep.yaml
  begin=$SECONDS
  if ! "$orchestrator" run sweep.yaml --store store >log 2>&1; then
    printf '%-28s failed\n' "$name"
    sed 's/^/    /' log | tail -n 20
    failed=$((failed + 1))
    continue
  fi
  "$orchestrator" results --store store --output json >results.json
  losses=$(sed -n 's/.*"train_loss": *\([-+.0-9eE]*\).*/\1/p' results.json)
  verdict=$(awk 'NR == 1 { first = $1 } { last = $1 } END { printf "%10.4f %10.4f", first, last; exit !(NR > 1 && last < first) }' <<<"$losses") || {
    verdict+=" (does not fall)"
    failed=$((failed + 1))
  }
  printf '%-28s %s %8d\n' "$name" "$verdict" $((SECONDS - begin))
  rm -rf store
done
exit $((failed > 0))
