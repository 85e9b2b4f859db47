#!/usr/bin/env bash
# Writes shell completions into a folder, under the names that the shells look for.
set -euo pipefail
dir=${1:?usage: completions.sh DIR}
mkdir -p "$dir"
cd "$(dirname "$0")/.."
go run ./cmd/orchestrator completion bash >"$dir/orchestrator.bash"
go run ./cmd/orchestrator completion zsh >"$dir/_orchestrator"
go run ./cmd/orchestrator completion fish >"$dir/orchestrator.fish"
