#!/usr/bin/env bash
# Puts all of it under fire, part by part: what one of them finds does not keep the others from being tried.
set -uo pipefail
cd "$(dirname "$0")/.."
torture=$1
# What it ends with where there can be no networks of its own.
skipped=77
failed=() unseen=()

part() {
    local name=$1 status
    shift
    echo "==> $name"
    "$@"
    status=$?
    if ((status == skipped)); then unseen+=("$name"); elif ((status != 0)); then failed+=("$name"); fi
}

part "every scenario with three seeds (an hour; what else this machine does shows)" "$torture" --times 3 --readme README.md
part "a soak (an hour and a half)" "$torture" --soak --out target/torture/soak --readme README.md
part "what comes from outside, ten minutes for each way in" make --no-print-directory fuzz FUZZ_SECONDS=600

for name in "${unseen[@]}"; do echo "SKIPPED: $name"; done
for name in "${failed[@]}"; do echo "FAILED: $name"; done
((${#failed[@]} == 0))
