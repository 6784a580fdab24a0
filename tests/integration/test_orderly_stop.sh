#!/usr/bin/env bash
# A server that stops in order while jobs are claimed and not yet handed over.
# harness.sh assigns.
# shellcheck disable=SC1091,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh

JOBS=450 # more than the spawner's socket holds

jobs_by_state() { sqlite3 "$scratch/data/soma.db" "SELECT count(*) FROM job WHERE state = $1"; }

all_are_claimed() { [ "$(soma -o json queue show default | jq .running_jobs)" -eq "$JOBS" ]; }

nothing_is_left() { [ -z "$(soma ps -q --state queued,running)" ]; }

# Had the machine started anew, nobody could tell whether a claimed job had begun: those that had not are queued again before.
test_claims_that_were_not_handed_over_go_back_to_the_queue() {
    local spawner queued claimed
    spawner=$(pgrep -P "$somad_pid" -x soma-spawner)
    kill -STOP "$spawner"
    seq "$JOBS" | xargs -P 4 -I{} "$soma_program" submit -q --name {} -- true >/dev/null
    until_true all_are_claimed
    stop_server TERM
    is $? 0
    queued=$(jobs_by_state 1)
    claimed=$(jobs_by_state 2)
    is "$((queued + claimed))" "$JOBS"
    [ "$queued" -gt 0 ] || fail "no claim was given back"
    # As if it had been another start of the machine.
    sed -i 's/[0-9a-f]/0/g' "$scratch/data/boot"
    start_server
    until_true nothing_is_left
    is "$(soma ps -q --all --state succeeded | wc -l)" "$queued"
    is "$(soma ps -q --all --state lost | wc -l)" "$claimed"
    is "$(soma -o jsonl ps --all | jq .attempt | sort -u)" 1
}

export SOMA_MAX_RUNNING=$((JOBS + 1))
start_server
run_tests
