#!/usr/bin/env bash
# Runs each way in of fuzz/ for so many seconds, from its committed corpus and what was found before. Whatever does not hold is
# kept, said, and makes this fail when all have been run.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=$1 seconds=$2

found=target/fuzz-corpus
kept=target/fuzz-artifacts
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# C that comes with crates is compiled by another compiler, whose words on globals the sanitizer mistakes.
export ASAN_OPTIONS=detect_odr_violation=0
failed=()
for corpus in fuzz/corpus/*/; do
    name=$(basename "$corpus")
    mkdir -p "$found/$name" "$kept/$name"
    touch "$log"
    # What takes ten seconds, 2 GiB, or 64 MiB at once is a way to stop a server. Longer input is shorter input twice.
    if "$programs/$name" "$found/$name" "$corpus" -max_total_time="$seconds" -artifact_prefix="$kept/$name/" \
        -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=64 -max_len=8192 -print_final_stats=1 -verbosity=0 >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "    $name: nothing found in $runs runs"
    else
        tail -n 40 "$log"
        input=$(find "$kept/$name" -type f -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
        echo "    $name FAILED: run $programs/$name $input to see it again; when it is mended, keep the input in $corpus" >&2
        failed+=("$name")
    fi
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "make fuzz: ${failed[*]} did not hold" >&2
    exit 1
fi
