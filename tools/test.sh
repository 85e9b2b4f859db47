#!/usr/bin/env bash
# Runs the daily tier of the tests (tools/testenv) and lists what failed once, at the
# end; the full tier where ORCHESTRATOR_TEST_FULL is set. Arguments go to go test.
#
# build/test.json is what go test -json said. In CI a test that skips for another
# reason than its tier is a failure: it would hide a part that is missing.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p build
build/tools/gotestsum --format pkgname --hide-summary skipped --jsonfile build/test.json --raw-command -- ./tools/test-groups.sh "$@"
code=$?
if [ "${CI:-}" = true ]; then
  go run ./tools/testskips build/test.json || code=1
fi
exit $code
