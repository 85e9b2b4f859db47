#!/usr/bin/env bash
# Benchmarks: the training step of CaffeNet and SqueezeNet, the data path, the
# step loop and the queue. Compare two commits with benchstat; single figures of
# a shared machine mean little.
set -euo pipefail
count=${BENCH_COUNT:-3}
for package in ./trainer/compile ./trainer ./trainer/dataset ./scheduler/queue ./cmd/orchestrator/internal/web; do
  go test -run '^$' -bench . -benchtime "${BENCH_TIME:-3x}" -count "$count" -timeout 60m "$package"
done
