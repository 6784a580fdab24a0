#!/usr/bin/env bash
# The tests whose names match a pattern under valgrind's memcheck, and somad where they start it:
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

while IFS=$'\t' read -r -a test; do
    name=${test[0]}
    mkdir -p "$logs/$name"
    if ! timeout 900 valgrind -q --trace-children=yes --trace-children-skip='*/soma-runner,/bin/*,/usr/bin/*' \
        --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite --error-exitcode=99 \
        --suppressions="$here/suppressions" --log-file="$logs/$name/%p" "${test[@]:1}" &>"$logs/$name/output"; then
        failed=1
        echo "failed: $name: $(tail -n 1 "$logs/$name/output")"
    elif grep -lE "definitely lost|Invalid (read|write|free)|uninitialised" "$logs/$name"/[0-9]*; then
        failed=1
        echo "failed: $name"
    else
        echo "clean: $name"
    fi
done < <(tests)
exit $failed
