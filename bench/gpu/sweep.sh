#!/usr/bin/env bash
# A whole run on the device DEVICE, then the same with a trainer killed (kill -9) once
# it has a checkpoint, later the whole run killed, and the same command again: it has
# to end with the results of the first. On the CPU these are the same to the last bit.
#
#   sweep.sh ORCHESTRATOR FOLDER     PICTURES and NETWORK: see run.sh
set -euo pipefail
orchestrator=$1
mkdir -p "$2"
cd "$2"

if [ -n "${PICTURES:-}" ] && [ -n "${NETWORK:-}" ]; then
  cat >sweep.yaml <<END
name: gpu-bench
dataset: {path: $(realpath "$PICTURES"), include: ["*.jpg"]}
model:
  base: $(realpath "$NETWORK")
  surgery: [{replace: {name: conv10, outputs: 2, init: {gaussian: 0.01}}}]
preprocessing: {resize: [256, 256], crop: 224, mirror: true, channels: bgr, mean: [104, 117, 123]}
training: {learning_rate: 0.001, momentum: 0.9, weight_decay: 0.0005, lr_policy: {policy: multistep, epochs: [5], gamma: 0.1}, lr_mult: {conv10: 10}, epochs: ${EPOCHS:-8}, batch_size: 32}
cross_validation: {folds: 5, stratified: true, seed: 1}
END
else
  "$orchestrator" dataset example pictures --pictures 480 --size 64 >/dev/null
  cat >sweep.yaml <<END
name: gpu-bench
dataset: {path: pictures}
model: {base: "builtin:smallnet"}
preprocessing: {resize: 32, mirror: true, mean: [128, 128, 128], scale: 0.0078125}
training: {learning_rate: 0.03, momentum: 0.9, weight_decay: 0.0005, epochs: ${EPOCHS:-24}, batch_size: 16}
cross_validation: {folds: 3, stratified: true}
END
fi
[ "$DEVICE" = cpu ] || echo 'resources: {device: cuda}' >>sweep.yaml

command=("$orchestrator" run sweep.yaml --devices "$DEVICE" --output json --store)

began=$SECONDS
"${command[@]}" undisturbed >undisturbed.json
took=$((SECONDS - began))

# await SECONDS CONDITION...: until it holds, or the run has ended.
await() {
  local left=$(($1 * 20))
  shift
  until "$@"; do
    left=$((left - 1))
    if [ "$left" -le 0 ] || ! kill -0 "$pid" 2>/dev/null; then return 1; fi
    sleep 0.05
  done
}
checkpoints() { compgen -G "disturbed/jobs/*/checkpoints/*.json" >/dev/null; }
outcomes() { [ "$(find disturbed/jobs -name outcome.json 2>/dev/null | wc -l)" -ge "$1" ]; }
# trainer finds a trainer process of the run; not every machine has pgrep.
trainer() {
  local process
  for process in /proc/[0-9]*; do
    if grep -aq trainer-process "$process/cmdline" 2>/dev/null && [ "$(awk '/^PPid:/ { print $2 }' "$process/status" 2>/dev/null)" = "$pid" ]; then
      child=${process#/proc/}
      return 0
    fi
  done
  return 1
}

"${command[@]}" disturbed >killed.json 2>killed.log &
pid=$!
killed=0
# A job that has a checkpoint but no outcome, at work: its trainer.
if await 120 checkpoints && await 60 trainer && kill -9 "$child" 2>/dev/null; then killed=1; fi
# Once that job has ended all the same, the whole run.
stopped=0
if await 300 outcomes 2 && await 60 trainer && kill -9 "$pid" 2>/dev/null; then stopped=1; fi
wait "$pid" 2>/dev/null || true
"${command[@]}" disturbed >resumed.json

"${PYTHON:-python3}" - "$DEVICE" "$killed" "$stopped" "$took" <<'PYTHON'
import glob, json, sys

device, killed, stopped, took = sys.argv[1], *map(int, sys.argv[2:])
whole, resumed = (json.load(open(name)) for name in ("undisturbed.json", "resumed.json"))


def folds(result):
    """What a fold was trained to: no times, no counts of attempts."""
    return [(f["state"], f["metrics"], [{k: v for k, v in e.items() if k != "seconds"} for e in f["history"]]) for t in result["trials"] for f in t["folds"]]


def mean(result):
    return result["trials"][0]["summary"]["accuracy"]["mean"]


outcomes = [json.load(open(name)) for name in glob.glob("disturbed/jobs/*/outcome.json")]
attempts = len(glob.glob("disturbed/jobs/*/attempts/*.json"))
report = {
    "seconds": took,
    "trainer_killed": bool(killed),
    "run_killed": bool(stopped),
    "attempts": attempts,
    "jobs": len(outcomes),
    "devices": sorted({o.get("device", "") for o in outcomes}),
    "accuracy": mean(whole),
    "accuracy_resumed": mean(resumed),
    "baseline": whole["baseline"]["accuracy"]["mean"],
    "same_bits": folds(whole) == folds(resumed),
}
missed = []
if not killed or not stopped:
    missed.append("nothing was killed in time: the sweep is too short")
if resumed["state"] != "completed" or any(f[0] != "completed" for f in folds(resumed)):
    missed.append("a job did not end")
if report["devices"] != [device]:
    missed.append(f"jobs ran on {report['devices']}")
if mean(whole) <= report["baseline"]:
    missed.append("it is no better than always answering the most frequent class")
if device == "cpu" and not report["same_bits"]:
    missed.append("the results are not those of the undisturbed run")
if abs(mean(whole) - mean(resumed)) > 0.05:
    missed.append("the accuracy is another one")
report["missed"] = missed
json.dump(report, open("sweep.json", "w"), indent=2)
print(json.dumps(report))
sys.exit(1 if missed else 0)
PYTHON
