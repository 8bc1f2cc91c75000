#!/bin/sh
# Measures the training step at the shapes that the benchmarks report, a line of JSON each, and in turn with it
# the same step in PyTorch, where there is one: $PEER_PYTHON with torch, transformers and peft, and the folder
# $REVELA_PEERS (default ../shared/peers) with revela_torch.py. $BENCH_THREADS sets the threads of both.
set -eu
cd "$(dirname "$0")/.."
peer=${REVELA_PEERS:-../shared/peers}/revela_torch.py
peer_python=${PEER_PYTHON:-python3}
threads=${BENCH_THREADS:-$(nproc)}

main() {
  check_peer
  compare --shape tiny
  compare --shape smol --group-size 8 --dtype bf16
}

# compare runs both programs with the same flags, ours first.
compare() {
  echo "# $*"
  run revela bin/revela bench step "$@"
  [ -z "$peer" ] || run pytorch "$peer_python" "$peer" "$@"
}

run() {
  name=$1
  shift
  result=$("$@" --steps "${BENCH_STEPS:-4}" --threads "$threads" | tail -n 1)
  printf '%-8s%s\n' "$name" "$result"
}

check_peer() {
  if [ ! -f "$peer" ]; then
    echo "no PyTorch step beside ours: $peer is missing (set REVELA_PEERS)"
    peer=
  elif ! "$peer_python" -c 'import torch, transformers, peft' 2>/dev/null; then
    echo "no PyTorch step beside ours: $peer_python lacks torch, transformers or peft (set PEER_PYTHON)"
    peer=
  fi
}

main
