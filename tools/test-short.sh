#!/usr/bin/env bash
# Runs the short tier, and fails where a test of it takes more than 5 seconds: by
# itself, for a test that was slow beside others has another try alone.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p build
limit=5s
report=build/test-short.json
gotestsum=build/tools/gotestsum
[ -x $gotestsum ] || make --silent "$PWD/$gotestsum" || exit
$gotestsum --format pkgname --hide-summary skipped --jsonfile $report -- -short ./...
code=$?

while read -r package test _; do
  [ -n "$test" ] || continue
  name=${test%%/*} # its subtests are quick, or are named for themselves
  go test -count=1 -short -json -run "^$name\$" "$package" >build/test-alone.json || code=1
  if $gotestsum tool slowest --jsonfile build/test-alone.json --threshold $limit | grep -q " $name "; then
    echo "$package $name takes more than $limit in the short tier: testenv.Daily, or fewer cases" >&2
    code=1
  fi
done < <($gotestsum tool slowest --jsonfile $report --threshold $limit | awk '{ sub("/.*", "", $2); print $1, $2 }' | sort -u)
exit $code
