#!/usr/bin/env bash
# Runs the full tier in parts, and prints a table of them at the end.
#
#   tools/test-all.sh [PART]...     all parts by default
#
# What became of each part, and when, is kept in build/test-all; a part that has passed
# is not run again, so an interrupted run goes on where it was. AGAIN=1 runs all again.
# Each part's output is in build/test-all/PART.log.
set -uo pipefail
cd "$(dirname "$0")/.."
state=build/test-all
mkdir -p "$state"
export CI=true

# The packages whose tests train within their own process, where threads, libraries and
# processors make a difference.
training=(./trainer/...)
train() { go test -count=1 -timeout 3h "$@" "${training[@]}"; }

part_tests() { ORCHESTRATOR_TEST_FULL=1 TEST_TIMEOUT=3h ./tools/test.sh -count=1; }
part_loaded() {
  # Two processes that never rest, beside the daily tier.
  (while :; do :; done) & local one=$!
  (while :; do :; done) & local two=$!
  ./tools/test.sh -count=1
  local code=$?
  kill $one $two
  return $code
}
part_program_race() { go test -race -count=1 -timeout 3h -parallel 4 ./cmd/orchestrator; }
part_chaos() {
  ORCHESTRATOR_TEST_CHAOS_KILLS=1000 ORCHESTRATOR_TEST_CHAOS_OUTAGE=1m go test -count=1 -timeout 3h -v -run '^TestChaos$' ./cmd/orchestrator
}
part_one_thread() { ORCHESTRATOR_TEST_THREADS=1 train; }
part_four_threads() { ORCHESTRATOR_TEST_THREADS=4 train; }
part_newest_runtime() {
  ./tools/newest-onnxruntime.sh build/onnxruntime-newest &&
    ORCHESTRATOR_ONNXRUNTIME_LIBRARY=$(ls "$PWD"/build/onnxruntime-newest/libonnxruntime.so*) train
}
# Other processors than this machine's, in software: SSE4.2 alone, and AVX2 without
# AVX-512. The short tier, and a golden run.
emulated() {
  train -short -exec "qemu-x86_64 -cpu $1" &&
    go test -count=1 -timeout 3h -run '^TestGoldenRuns$/squeezenet' -exec "qemu-x86_64 -cpu $1" ./trainer/compile
}
part_nehalem() { emulated Nehalem; }
part_haswell() { emulated Haswell; }
part_zoo() { make zoo; }
part_benchmarks() { go test -run '^$' -bench . -benchtime 1x -timeout 3h ./...; }
part_fuzz() { make fuzz FUZZTIME=10s; }
part_lint() { make lint; }

all=(lint tests program_race chaos one_thread four_threads newest_runtime nehalem haswell zoo benchmarks fuzz loaded)
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=("${all[@]}")
failed=0
for part in "${parts[@]}"; do
  declare -F "part_$part" >/dev/null || { echo "there is no part $part; parts: ${all[*]}" >&2; exit 2; }
  if [ -z "${AGAIN:-}" ] && grep -qs '^passed' "$state/$part"; then
    continue
  fi
  echo "$part ..."
  rm -f "$state/$part"
  began=$SECONDS
  result=passed
  "part_$part" >"$state/$part.log" 2>&1 || result=failed
  printf '%s\t%d\t%s\t%s\n' "$result" $((SECONDS - began)) "$(date -u +%F)" "$(git rev-parse --short HEAD)" >"$state/$part"
  [ $result = passed ] || tail -n 40 "$state/$part.log"
done

printf '\n| part | result | minutes | date | commit |\n|---|---|---|---|---|\n'
for part in "${all[@]}"; do
  if [ -f "$state/$part" ]; then
    IFS=$'\t' read -r result seconds date commit <"$state/$part"
    printf '| %s | %s | %d.%d | %s | %s |\n' "$part" "$result" $((seconds / 60)) $((seconds % 60 / 6)) "$date" "$commit"
    [ "$result" = passed ] || failed=1
  else
    printf '| %s | not run | | | |\n' "$part"
    failed=1
  fi
done
exit $failed
