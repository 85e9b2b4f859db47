#!/usr/bin/env bash
# Makes sure that a real redis-server is there for the tests.
set -euo pipefail
command -v redis-server >/dev/null && exit 0
as_root=""
[ "$(id -u)" = 0 ] || as_root=sudo
if command -v apt-get >/dev/null; then
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends redis-server
elif command -v brew >/dev/null; then
  brew install redis
else
  echo "the tests need redis-server on the PATH; install it with your system's package manager" >&2
  exit 1
fi
