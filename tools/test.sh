#!/usr/bin/env bash
# Runs every test, with the race detector. In CI a test that skips is a failure:
# it would hide a part that is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
go vet ./...
log=build/test.json
build/tools/gotestsum --format pkgname-and-test-fails --hide-summary skipped --jsonfile "$log" -- \
  -race -timeout 45m "$@" ./...
if [ "${CI:-}" = true ] && skipped=$(grep '"Action":"skip"' "$log" | grep '"Test":'); then
  echo "skipped in CI:" >&2
  echo "$skipped" >&2
  exit 1
fi
