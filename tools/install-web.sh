#!/usr/bin/env bash
# Copies the libraries of the pages of `orchestrator serve` into the folder that
# the program embeds, and axe-core, which checks the pages, into TESTDIR.
# npm checks the integrity hashes of the lock file; install scripts stay off.
set -euo pipefail
testdir=${1:?usage: install-web.sh TESTDIR}
here=$(cd "$(dirname "$0")/.." && pwd)
web=$here/cmd/orchestrator/internal/web
command -v npm >/dev/null || { echo "npm is needed to fetch the libraries of the pages" >&2; exit 1; }

mkdir -p "$testdir"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$web"/library/package.json "$web"/library/package-lock.json "$work"
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)

from=$work/node_modules
to=$web/ui/vendor
rm -f "$to"/*.mjs "$to"/*.txt "$to"/.ready
cp "$from"/echarts/dist/echarts.esm.min.mjs "$to/echarts.mjs"
cp "$from"/htm/dist/htm.mjs "$to/htm.mjs"
sed "/^\/\/# sourceMappingURL/d" "$from"/preact/dist/preact.mjs > "$to/preact.mjs" # the map stays behind
# A browser resolves no package names, and an import map would have to stand in
# the page itself, where the policy allows no scripts.
sed -E 's#from ?"preact"#from"./preact.mjs"#' "$from"/preact/hooks/dist/hooks.mjs > "$to/hooks.mjs"
grep -q '"./preact.mjs"' "$to/hooks.mjs" || { echo "preact's hooks import preact in an unknown way" >&2; exit 1; }
for package in echarts zrender tslib htm preact; do
  { cat "$from/$package"/LICENSE*; cat "$from/$package"/NOTICE* 2>/dev/null || true; } > "$to/$package-licence.txt"
done
cp "$from"/axe-core/axe.min.js "$testdir/"
touch "$to/.ready"
echo "the libraries of the pages are in ${to#"$here"/}"
