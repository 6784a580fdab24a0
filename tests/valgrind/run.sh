#!/usr/bin/env bash
# The tests whose names match a pattern under valgrind's memcheck, and somad where they start it, two at a time on two processors:
#     tests/valgrind/run.sh BUILD PATTERN
# An error, or memory that is definitely lost, is a failure. Programs that somad starts are left out: soma-runner is linked statically, so
# that valgrind cannot see its allocations (unit/runner_parts has its modules), and jobs are anybody's.
set -euo pipefail
build=$(realpath "$1") pattern=$2 failed=0
here=$(realpath "$(dirname "$0")")
logs=$build/valgrind
rm -rf "$logs" && mkdir -p "$logs"

# NAME and the words of its command, separated by tabs, a line for each test.
tests() {
    ctest --test-dir "$build" -R "$pattern" --show-only=json-v1 | jq -r '.tests[] | [.name] + .command | @tsv'
}

# check NAME COMMAND…: says how it went.
check() {
    local name=$1 there=$logs/$1
    mkdir -p "$there"
    if ! timeout 1800 valgrind -q --fair-sched=yes --trace-children=yes --trace-children-skip='*/soma-runner,/bin/*,/usr/bin/*' \
        --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite --error-exitcode=99 \
        --suppressions="$here/suppressions" --log-file="$there/%p" "${@:2}" &>"$there/output"; then
        echo "failed: $name: $(tail -n 1 "$there/output")"
        return 1
    fi
    if grep -lE "definitely lost|Invalid (read|write|free)|uninitialised" "$there"/[0-9]*; then
        echo "failed: $name"
        return 1
    fi
    echo "clean: $name"
}

while IFS=$'\t' read -r -a test; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
        wait -n || failed=1
    done
    check "${test[@]}" &
done < <(tests)
while [ -n "$(jobs -p)" ]; do
    wait -n || failed=1
done
exit $failed
