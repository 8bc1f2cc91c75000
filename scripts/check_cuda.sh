#!/bin/sh
# Checks that this program loads the CUDA half of libtorch: every symbol resolves, the kernels that the program counts on are
# there, and what is missing for computing on a GPU is said in one line. Needs no GPU; where there is one, the fixtures
# run on it.
set -eu
cd "$(dirname "$0")/.."
eval "$(./setup-gotch.sh --env)"

bin/revela doctor | grep '^cuda'
bin/revela doctor --json | python3 -c '
import json, sys
found = json.load(sys.stdin)
assert found["cuda_version"] == "13.0" or found["cuda_version"] > "12", found
assert found["cuda_flash_attention"], found
assert not found.get("cuda_error"), found
'
REVELA_CUDA=1 go test -count=1 -run 'TestCUDA' ./torch
