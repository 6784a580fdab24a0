#!/usr/bin/env bash
# Jobs that call their server by $SOMA_SERVER and $SOMA_TOKEN: what they reach, and what becomes of the jobs that they submit.
# harness.sh assigns; $ in single quotes is for the job.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
start_server_for_calling_jobs || exit 1

# submit_sh CODE: a job of the shell with the command line in its work directory; its id.
submit_sh() { soma submit -q --file "$soma_program:soma" --language sh -c "$1"; }
# run_sh CODE: the same, to its end; its output in $scratch/out and $scratch/err.
run_sh() { expect "$1" soma run --file "$soma_program:soma" --language sh -c "$2"; }
# child_of ID: the one job that it submitted.
child_of() { soma ps -q --all --parent "$1"; }
has_child() { [ -n "$(child_of "$1")" ]; }
message_of() { soma -o json show "$1" | jq -r .message; }

test_a_job_reports_submits_and_keeps_vectors_with_nothing_but_its_environment() {
    soma collection create kids --dim 2 --metric l2 >/dev/null
    run_sh 0 'set -e
        ./soma progress 50 half
        echo "{\"id\": \"a\", \"embedding\": [1, 2]}" | ./soma upsert kids - >&2
        ./soma query kids -q --vector "[1, 2]" -k 1 >&2
        child=$(./soma submit -q --language sh -c "echo from the child; exit 3")
        ./soma wait $child || echo "the child ended with $?"
        ./soma logs $child
        ./soma -o json show $child | grep -q "parent_id.*$SOMA_JOB_ID" && echo and knows its parent'
    out_is "the child ended with 3
from the child
and knows its parent"
    is "$(soma count kids)" 1
}

test_a_job_reaches_itself_and_its_children_and_nothing_else() {
    local other
    other=$(soma submit -q -- sleep 1000)
    run_sh 0 "other=$other"'
        for call in "show $other" "cancel $other" "logs $other" "wait $other" "rm $other" "progress --job $other 1" "retry $other" \
            "ps --parent $other" "queue ls" prune "stats"; do
            ./soma $call 2>&1 >/dev/null | head -n 1
            ./soma $call >/dev/null 2>&1
            case "$? $call" in "4 "* | "125 wait"*) ;; *) echo "exit status $? of $call" ;; esac
        done
        ./soma submit --after $other -- true 2>&1 | head -n 1
        ./soma show $SOMA_JOB_ID >/dev/null && echo itself'
    is "$(grep -c 'was not submitted by job\|may not call\|sees the jobs that it submitted\|cannot wait for it' "$scratch/out")" 12
    is "$(wc -l <"$scratch/out")" 13
    is "$(tail -n 1 "$scratch/out")" itself
    is "$(state_of "$other")" running
    grep -q "CALL-REFUSED soma.v1.JobService/CancelJob from uid [0-9]* pid [0-9]*: job $other was not submitted by" "$scratch/somad.log" || fail "nothing in the log"
    grep -q 'CALL-REFUSED soma.v1.JobService/ListQueues' "$scratch/somad.log" || fail "nothing in the log"
    soma cancel --force "$other" >/dev/null
}

test_without_a_token_and_with_a_forged_or_dead_one_the_address_of_jobs_is_closed() {
    local id token door="ipc://$scratch/data/door/soma.sock"
    [ "$(id -u)" = 0 ] || chmod 700 "$scratch"
    id=$(submit_sh 'echo $SOMA_TOKEN; cat')
    soma wait "$id"
    token=$(soma logs "$id")
    expect 4 soma --server "$door" ping
    err_has "this address asks for a token"
    SOMA_TOKEN="${token%?}x" expect 4 soma --server "$door" ping
    err_has "not given by this server"
    SOMA_TOKEN=$token expect 4 soma --server "$door" ping
    err_has "attempt 1 of job $id has ended"
    chmod 711 "$scratch"
}

test_children_are_cancelled_with_their_parent_and_theirs_too_but_for_detached_ones() {
    local id child grandchild detached
    # It ignores TERM and goes on to submit: too late for children, not for detached ones.
    id=$(submit_sh 'trap "./soma submit -- true; ./soma submit -q --detached -- true; exit 1" TERM
        ./soma submit -q --detached -- sleep 1000 >detached
        ./soma submit -q --file soma --language sh -c "./soma submit -q -- sleep 1000; sleep 1000" >child
        ./soma submit -q --delay 1h -- true >queued
        cat detached child queued; while :; do sleep 0.05; done')
    until_true sh -c "[ \$('$soma_program' logs $id | wc -l) -eq 3 ]"
    detached=$(soma logs "$id" | sed -n 1p)
    child=$(soma logs "$id" | sed -n 2p)
    until_true has_child "$child"
    grandchild=$(child_of "$child")
    until_true state_is "$grandchild" running
    expect 0 soma cancel --note enough "$id"
    for child in "$child" "$grandchild" "$(soma logs "$id" | sed -n 3p)"; do
        until_true state_is "$child" cancelled
    done
    case $(message_of "$child") in
    *"with its parent $id: enough"*) ;;
    *) fail "the message is '$(message_of "$child")'" ;;
    esac
    # However long the line, who asked is not cut off.
    case $(message_of "$grandchild") in
    "cancelled: with its parent $(soma logs "$id" 2>/dev/null | sed -n 2p): enough, by $(id -un) on $(hostname); "*) ;;
    *) fail "the message is '$(message_of "$grandchild")'" ;;
    esac
    until_true state_is "$id" cancelled
    expect 0 soma logs "$id"
    err_has "is being cancelled"
    is "$(state_of "$detached")" running
    is "$(soma ps -q --all --parent "$id" | wc -l)" 4
    # Also a parent that is over takes its children along, and a detached one is nobody's.
    expect 0 soma cancel "$id"
    is "$(state_of "$detached")" running
    soma cancel --force "$detached" >/dev/null
}

test_a_parent_that_has_ended_still_takes_its_children_along() {
    local id child
    id=$(submit_sh './soma submit -q -- sleep 1000')
    expect 0 soma wait "$id"
    child=$(child_of "$id")
    until_true state_is "$child" running
    expect 0 soma cancel "$id"
    until_true state_is "$child" cancelled
    is "$(state_of "$id")" succeeded
}

test_a_child_gets_no_more_than_its_parent_has() {
    stop_server TERM
    SOMA_JOB_NETWORK=on start_server
    run_sh 0 './soma submit --network -- true 2>&1 | head -n 1'
    out_has "the job that submits has no network"
    expect 0 soma run --network --file "$soma_program:soma" --language sh -c './soma submit -q --network -- true'
    if [ "$(soma -o json info | jq -r '.enforcement[] | select(.name == "namespaces").enforced')" = true ]; then
        expect 0 soma run --sandbox required --file "$soma_program:soma" --language sh -c \
            './soma -o json show $(./soma submit -q --sandbox best-effort -- true)'
        is "$(jq -r .sandbox "$scratch/out")" required
    fi
    stop_server TERM
    start_server
}

test_without_namespaces_a_job_has_no_socket_and_so_no_address() {
    stop_server TERM
    SOMA_SANDBOX=best_effort SOMA_BWRAP=none start_server
    run_sh 0 'echo "<$SOMA_SERVER$SOMA_TOKEN>"'
    out_is "<>"
    stop_server TERM
    SOMA_BWRAP=none SOMA_SANDBOX=off start_server
    run_sh 0 './soma submit -q -- true >/dev/null && echo submitted'
    out_is submitted
    stop_server TERM
    start_server
}

test_a_token_and_its_address_outlive_the_server() {
    local id
    id=$(submit_sh 'echo begun; until [ -e go ]; do sleep 0.05; done; ./soma submit -q -- true')
    until_true sh -c "'$soma_program' logs $id | grep -q begun"
    stop_server KILL
    start_server
    touch "$scratch/data/jobs/$id/1/work/go" || fail "no work directory"
    expect 0 soma wait "$id"
    is "$(soma logs "$id" | tail -n 1)" "$(child_of "$id")"
}

test_the_operator_may_take_the_access_away() {
    stop_server TERM
    SOMA_JOB_ACCESS="jobs" start_server
    run_sh 0 './soma ping >/dev/null && ./soma count kids 2>&1 | head -n 1'
    out_has "jobs may not call soma.v1.VectorService/CountRecords"
    stop_server TERM
    SOMA_JOB_ACCESS=off start_server
    run_sh 0 'echo "<$SOMA_SERVER$SOMA_TOKEN>"'
    out_is "<>"
    stop_server TERM
    expect 2 env SOMA_JOB_ACCESS=all "$somad_program" --data "$scratch/data" --listen "$SOMA_SERVER"
    err_has "none of full, jobs and off"
    start_server
}

run_tests
