#!/usr/bin/env bash
# Runs the tests in groups and prints what `go test -json` says of all of them, for
# gotestsum. Every group runs, also after one that fails. Arguments go to go test.
#
#   plain    packages without goroutines: compilers and searches whose tests compute
#            for long, and the program's own tests, which look at processes
#   race     packages with goroutines (race-packages.txt), with the race detector
#   program  the program itself built with the race detector: a cluster, the scripts
#            that need one, and serve
set -uo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS="${GOFLAGS:-} -timeout=${TEST_TIMEOUT:-40m}"
prefix=$(go list -m)
race=$(sed -n "s|^\([a-z][a-z/]*\)$|$prefix/\1|p" tools/race-packages.txt)
short=$(sed -n "s|^short |$prefix/|p" tools/race-packages.txt)
plain=$(go list ./... | grep -vxF "$race")

failed=0
# shellcheck disable=SC2086 # one word per package
{
  go test -json -parallel 3 "$@" $plain || failed=1
  go test -json -race "$@" $race || failed=1
  go test -json -race -short "$@" $short || failed=1
  go test -json -race -run '^(TestClusterEndsWithTheFiguresOfRun|TestClusterScripts|TestServeStartsAndEnds|TestMonitorShowsReadableJobs)$' \
    "$@" ./cmd/orchestrator || failed=1
}
exit $failed
