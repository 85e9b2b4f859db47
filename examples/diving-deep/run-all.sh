#!/usr/bin/env bash
# Runs the whole study: every sweep of this folder, then the tables, the layer-wise
# figure and maps. What has an outcome already is not trained again, so it may be
# interrupted and started again.
#
#   ./run-all.sh [--small] [OUT]     OUT: where reports go, out by default
#
# --small runs the same sweeps within minutes on pictures that the program draws,
# with a small network of CaffeNet's layers. ORCHESTRATOR names the program, and the
# settings of its own (ORCHESTRATOR_STORE, ...) say where results are kept.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
orchestrator=${ORCHESTRATOR:-orchestrator}
small=
if [ "${1:-}" = --small ]; then
  small=yes
  shift
fi
out=${1:-out}
mkdir -p "$out"
out=$(cd "$out" && pwd)

agreements="five four three"
set=()
if [ -n "$small" ]; then
  agreements=five
  # Pictures in one folder and the authors' form of lists: what the study's data look like.
  if [ ! -d "$out/data/five_agree" ]; then
    "$orchestrator" dataset example "$out/drawn" --pictures 360 --size 40
    mkdir -p "$out/data/pictures" "$out/data/partial"
    label=0
    for class in checks rings; do
      for picture in "$out/drawn/$class"/*.png; do
        name=$class-$(basename "$picture")
        cp "$picture" "$out/data/pictures/$name"
        echo "$name $label"
      done
      label=1
    done | sort -t - -k 2 > "$out/data/all.txt"
    for fold in 1 2; do
      mkdir -p "$out/data/partial/test$fold"
      awk -v f="$fold" 'int((NR - 1) / 2) % 2 == f - 1' "$out/data/all.txt" > "$out/data/partial/test$fold/test.txt"
      awk -v f="$fold" 'int((NR - 1) / 2) % 2 != f - 1' "$out/data/all.txt" > "$out/data/partial/test$fold/train.txt"
    done
    mv "$out/data/partial" "$out/data/five_agree"
  fi
  [ -f "$out/caffenet.onnx" ] || "$orchestrator" model new minicaffenet --outputs 10 --seed 1 --file "$out/caffenet.onnx"
  set=(--set "dataset.path=$out/data/pictures" --set "dataset.folds=$out/data/five_agree"
       --set 'preprocessing.resize=[40, 40]' --set preprocessing.crop=32 --set preprocessing.scale=0.02)
  train=("${set[@]}" --set training.epochs=15 --set training.lr_policy.every_epochs=12 --set training.batch_size=16 --set training.micro_batch_size=16
         --set training.learning_rate=0.001 --set training.threads=1)
  model=(--set "model.base=$out/caffenet.onnx")
else
  train=()
  model=()
fi

for agreement in $agreements; do
  "$orchestrator" run "$here/1-finetune-$agreement.yaml" "${train[@]}" "${model[@]}"
done
"$orchestrator" run "$here/2-ablation.yaml" "${train[@]}" "${model[@]}"
"$orchestrator" run "$here/3-addition.yaml" "${train[@]}" "${model[@]}"
"$orchestrator" run "$here/4-layers.yaml" "${set[@]}"
if [ -n "$small" ]; then
  # The variants name their networks themselves.
  sed -e "s#model.base: caffenet.onnx}#model.base: \"$out/caffenet.onnx\"}#" -e 's#builtin:caffenet#builtin:minicaffenet#' -e 's#training.learning_rate: 0.01, ##' \
    "$here/5-initialisation.yaml" > "$out/5-initialisation.yaml"
  "$orchestrator" run "$out/5-initialisation.yaml" "${train[@]}"
else
  "$orchestrator" run "$here/5-initialisation.yaml"
fi

sweeps=()
for agreement in $agreements; do sweeps+=("dd-finetune-$agreement"); done
sweeps+=(dd-ablation dd-addition dd-layers dd-initialisation)
"$orchestrator" report "${sweeps[@]}" --file "$out/study.html" --figures "$out/figures"
"$orchestrator" report "${sweeps[@]}" --format latex --file "$out/tables.tex" --pictures 0
"$orchestrator" report dd-finetune-five --file "$out/finetuned.html" --embed relu7 --unit relu5:0 --unit relu5:1
pictures=("$here"/data/pictures/*.jpg)
if [ -n "$small" ]; then pictures=("$out"/data/pictures/*.png); fi
"$orchestrator" predict --sweep dd-finetune-five --map "$out/maps" "${pictures[@]:0:12}"
echo "the study: $out/study.html, $out/tables.tex, $out/finetuned.html, $out/maps"
