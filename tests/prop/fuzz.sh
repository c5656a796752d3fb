#!/bin/sh
# Build a property as a libFuzzer program and run it for some seconds; TAP.
#   fuzz.sh PROPERTY CORPUS-FOLDER SECONDS
set -u
program=build/prop/fuzz-$1
echo 1..1
mkdir -p "$2"
if make --no-print-directory -s "$program" >"$program.log" 2>&1 &&
        "$program" -max_total_time="$3" -artifact_prefix="$program-" "$2" >>"$program.log" 2>&1; then
    echo "ok 1 - fuzz $1: $(grep -c '' "$program.log") lines of log, $(ls "$2" | wc -l) inputs kept"
else
    tail -20 "$program.log" | sed 's/^/# /'
    echo "not ok 1 - fuzz $1, see $program.log"
fi
