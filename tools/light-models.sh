#!/usr/bin/env bash
# Fetches the nine light models of the ONNX repository, which are classifiers
# without their weights, into the folder given. They are part of the Python package
# onnx; pip fetches that by its name, and the models' own hashes are checked.
set -euo pipefail
into=$1
version=1.18.0
sums=$(cd "$(dirname "$0")" && pwd)/light-models.sha256
mkdir -p "$into"
if (cd "$into" && sha256sum --check --status "$sums" 2>/dev/null); then
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PIP:-python3 -m pip} download --quiet --no-deps --only-binary :all: --dest "$work" "onnx==$version"
python3 - "$work" "$into" <<'PYTHON'
import glob, os, shutil, sys, zipfile
work, into = sys.argv[1:]
with zipfile.ZipFile(glob.glob(os.path.join(work, "*.whl"))[0]) as wheel:
    for name in wheel.namelist():
        base = os.path.basename(name)
        if base.startswith("light_") and base.endswith(".onnx"):
            with wheel.open(name) as source, open(os.path.join(into, base), "wb") as target:
                shutil.copyfileobj(source, target)
PYTHON
(cd "$into" && sha256sum --check --quiet "$sums")
echo "nine models in $into"
