#!/bin/sh
# Build a property as a libFuzzer program and run it as long as LIMIT says; TAP.
#   fuzz.sh PROPERTY CORPUS-FOLDER -max_total_time=SECONDS|-runs=COUNT
set -u
program=build/prop/fuzz-$1
echo 1..1
mkdir -p "$2"
if make --no-print-directory -s "$program" >"$program.log" 2>&1 &&
        "$program" "$3" -print_final_stats=1 -artifact_prefix="$program-" "$2" >>"$program.log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$program.log")
    echo "ok 1 - fuzz $1: $runs inputs, $(ls "$2" | wc -l) kept"
else
    tail -20 "$program.log" | sed 's/^/# /'
    echo "not ok 1 - fuzz $1, see $program.log"
fi
