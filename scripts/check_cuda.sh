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
wrong = found.get("cuda_error") or not found["cuda_version"] or not found["cuda_flash_attention"] or found["cuda_kernels"] != "compiled"
sys.exit(f"check_cuda.sh: the CUDA half does not serve: {found}" if wrong else 0)
'
REVELA_CUDA=1 go test -count=1 -run TestCUDAHalf ./torch
if bin/revela doctor --json | grep -q '"cuda": *true'; then make test-cuda; fi
