#!/usr/bin/env bash
# Runs every test, with the race detector wherever there are goroutines: the
# compiler and the searches have none, and their tests compute whole training steps
# in float64 and thousands of searches, which would take 15 times as long; and what
# memory training takes, the race detector would hide under its own. In CI a test
# that skips is a failure: it would hide a part that is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
go vet ./...

run() {
  log=build/$1.json
  shift
  build/tools/gotestsum --format pkgname-and-test-fails --hide-summary skipped --jsonfile "$log" -- -timeout 75m "$@"
  if [ "${CI:-}" = true ] && skipped=$(grep '"Action":"skip"' "$log" | grep '"Test":'); then
    echo "skipped in CI:" >&2
    echo "$skipped" >&2
    exit 1
  fi
}

run test-compile "$@" ./trainer/compile ./scheduler/search
run test-memory -run 'Memory|MicroBatches' "$@" ./trainer
# shellcheck disable=SC2046 # one word per package
run test -race "$@" $(go list ./... | grep -v -e '/trainer/compile$' -e '/scheduler/search$')
