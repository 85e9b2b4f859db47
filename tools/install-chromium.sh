#!/usr/bin/env bash
# Makes sure that a Chromium is there for the tests of the pages.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null && exit 0
done
as_root=""
[ "$(id -u)" = 0 ] || as_root=sudo
if command -v apt-get >/dev/null; then
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
elif command -v brew >/dev/null; then
  brew install --cask chromium
else
  echo "the tests of the pages need chromium on the PATH; install it with your system's package manager" >&2
  exit 1
fi
