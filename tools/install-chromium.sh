#!/usr/bin/env bash
# Makes sure that a Chromium is there for the tests of the pages. Its SwiftShader is
# a graphics processor in software, on which the tests try devices with a memory of
# their own; that needs Vulkan's loader too.
set -euo pipefail
browser=""
for name in chromium chromium-browser google-chrome; do
  browser=${browser:-$(command -v "$name" || true)}
done
packages=()
[ -n "$browser" ] || packages+=(chromium fonts-dejavu-core)
if command -v apt-get >/dev/null; then
  ldconfig -p | grep -q 'libvulkan\.so\.1 ' || packages+=(libvulkan1)
fi
[ "${#packages[@]}" -gt 0 ] || exit 0
as_root=""
[ "$(id -u)" = 0 ] || as_root=sudo
if command -v apt-get >/dev/null; then
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "${packages[@]}"
elif command -v brew >/dev/null; then
  brew install --cask chromium
else
  echo "the tests of the pages need chromium on the PATH; install it with your system's package manager" >&2
  exit 1
fi
