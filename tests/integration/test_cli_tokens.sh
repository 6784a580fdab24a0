#!/usr/bin/env bash
# Tokens from the command line: who may call what over TCP, and what is kept of a secret.
# harness.sh assigns.
# shellcheck disable=SC1091,SC2034,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh

# The server listens on TCP too, where callers are asked.
owner=$SOMA_SERVER
start_asking_server() {
    "$somad_program" --data "$scratch/data" --listen "$owner" --listen tcp://127.0.0.1:0 --listen ws://127.0.0.1:0/rpc --sandbox best_effort "$@" >>"$scratch/somad.log" 2>&1 &
    somad_pid=$!
    until_true "$soma_program" --timeout 1s ping
    tcp=$(soma -o json info | jq -r '.listeners[1]')
    ws=$(soma -o json info | jq -r '.listeners[2]')
}
start_asking_server || exit 1
# Where this machine has no namespaces, a sandbox leaves jobs no socket.
sandbox=best_effort
if ! soma -o json info | jq -e '.enforcement[] | select(.name == "namespaces").enforced' >/dev/null; then
    sandbox=off
fi

# over_tcp TOKEN ARGS…: the command line over TCP.
over_tcp() { SOMA_TOKEN=$1 "$soma_program" --server "$tcp" "${@:2}"; }

test_without_a_token_nothing_is_to_be_had_over_tcp() {
    local before
    before=$(soma ps -q --all | wc -l)
    expect 4 over_tcp "" ping
    err_has "asks for a token"
    expect 4 over_tcp wrong submit -- true
    err_has "knows no such token"
    err_has "hint: "
    is "$(soma ps -q --all | wc -l)" "$before"
    expect 0 grep -qE 'CALL-REFUSED soma.v1.JobService/SubmitJob from 127\.0\.0\.1:[0-9]+: the server knows no such token' "$scratch/somad.log"
    expect 4 env SOMA_TOKEN=wrong "$soma_program" --server "$ws" ps
    expect 0 grep -qE 'CALL-REFUSED soma.v1.JobService/ListJobs from 127\.0\.0\.1:[0-9]+: ' "$scratch/somad.log"
}

test_each_scope_opens_its_methods_and_no_others() {
    local read submit vectors admin id
    read=$(soma token create -q --scope read reader)
    submit=$(soma token create -q --scope submit submitter)
    vectors=$(soma token create -q --scope write-vectors writer)
    admin=$(soma token create -q --scope admin boss)
    for token in "$read" "$submit" "$vectors" "$admin"; do
        expect 0 over_tcp "$token" ping
    done
    id=$(over_tcp "$submit" submit -q -- true)
    expect 0 over_tcp "$read" show "$id"
    expect 4 over_tcp "$submit" show "$id"
    err_has "the scopes of token 'submitter' do not hold soma.v1.JobService/GetJob, which wants read"
    expect 4 over_tcp "$read" cancel "$id"
    expect 4 over_tcp "$read" collection create c --dim 2 --metric l2
    expect 0 over_tcp "$vectors" collection create c --dim 2 --metric l2
    expect 4 over_tcp "$vectors" count c
    expect 0 over_tcp "$read" count c
    for token in "$read" "$submit" "$vectors"; do
        expect 4 over_tcp "$token" token ls
        expect 4 over_tcp "$token" queue pause default
        expect 4 over_tcp "$token" prune
    done
    expect 0 over_tcp "$admin" token ls -q
    out_is "boss
reader
submitter
writer"
    expect 0 over_tcp "$admin" show "$id"
}

test_a_job_has_no_more_than_the_token_that_submitted_it() {
    stop_server TERM
    start_asking_server --sandbox "$sandbox"
    soma collection create --exist-ok shared --dim 2 --metric l2 >/dev/null
    local token code='./soma count shared >&2; echo count $?; ./soma collection create made --dim 2 >&2; echo create $?'
    token=$(soma token create -q --scope read,submit some)
    run_as() { SOMA_TOKEN=$1 expect 0 "$soma_program" --server "$tcp" run --file "$soma_program:soma" --language sh -c "$2"; }
    run_as "$token" "$code"
    out_is "count 0
create 4"
    err_has "could not call soma.v1.VectorService/CreateCollection, so it cannot"
    expect 0 grep -qE "CALL-REFUSED soma.v1.VectorService/CreateCollection from uid [0-9]+ pid [1-9][0-9]*: who submitted" "$scratch/somad.log"
    # Nor has a child; its own jobs it reaches all the same.
    run_as "$token" "./soma run -q --file soma --language sh -c '$code'"
    out_is "count 0
create 4"
    soma token revoke some
    # Who is admitted without a token holds everything.
    expect 0 soma run --file "$soma_program:soma" --language sh -c "$code"
    out_is "count 0
create 0"
}

test_what_is_revoked_or_has_expired_opens_nothing_any_more() {
    local gone brief
    gone=$(soma token create -q --scope read gone)
    brief=$(soma token create -q --scope read --expires 1ms brief)
    expect 0 over_tcp "$gone" ping
    expect 0 soma token revoke gone
    expect 4 over_tcp "$gone" ping
    err_has "knows no such token"
    err_has "hint: 'soma token ls'"
    until_true sh -c "! SOMA_TOKEN=$brief '$soma_program' --server $tcp ping"
    expect 4 over_tcp "$brief" ping
    err_has "the token 'brief' has expired"
    expect 3 soma token revoke gone
    err_has "there is no token 'gone'"
}

test_a_long_poll_tells_a_revoked_token_nothing_more() {
    local gone id watcher
    gone=$(soma token create -q --scope read gone)
    expect 0 soma queue pause later
    id=$(soma submit -q --queue later -- true)
    over_tcp "$gone" wait "$id" >"$scratch/waited" 2>&1 &
    watcher=$!
    until_true sh -c "'$soma_program' -o json stats | jq -e '.rpc_parked == 1'"
    expect 0 soma token revoke gone
    expect 0 soma cancel "$id"
    wait "$watcher"
    is "$?" 125
    grep -q "knows no such token" "$scratch/waited" || fail "$(cat "$scratch/waited")"
    expect 0 soma queue resume later
}

test_a_long_poll_tells_a_token_that_expired_meanwhile_nothing_more() {
    local brief id watcher
    expect 0 soma queue pause later
    id=$(soma submit -q --queue later -- true)
    brief=$(soma token create -q --scope read --expires 3s short-lived)
    over_tcp "$brief" wait "$id" >"$scratch/waited" 2>&1 &
    watcher=$!
    until_true sh -c "'$soma_program' -o json stats | jq -e '.rpc_parked == 1'"
    until_true sh -c "! SOMA_TOKEN=$brief '$soma_program' --server $tcp ping"
    expect 0 soma cancel "$id"
    wait "$watcher"
    is "$?" 125
    grep -q "the token 'short-lived' has expired" "$scratch/waited" || fail "$(cat "$scratch/waited")"
    expect 0 soma token revoke short-lived
    expect 0 soma queue resume later
}

test_tokens_outlive_the_server_which_keeps_no_secret() {
    local kept
    kept=$(soma token create -q --scope read,submit kept)
    expect 0 over_tcp "$kept" ping
    stop_server KILL
    start_asking_server
    expect 0 over_tcp "$kept" ping
    expect 1 grep -rqF -- "$kept" "$scratch/data"
    is "$(soma -o json token ls | jq -c '.[] | select(.name == "kept").scopes')" '["read","submit"]'
    [ "$(soma -o json token ls | jq '.[] | select(.name == "kept").last_used_unix_ms')" -gt 0 ] || fail "the use was not noted"
}

test_mistakes_are_told() {
    expect 2 soma token create nobody
    err_has "--scope says what the token opens"
    expect 2 soma token create --scope everything nobody
    expect 2 soma token create --scope read 'a b'
    local expiry
    for expiry in 0 0s 0.0001s; do
        expect 2 soma token create --scope read --expires "$expiry" ever
        err_has "option --expires: '$expiry' is no time at all"
    done
    expect 1 grep -qx ever <(soma token ls -q)
    soma token create -q --scope read twice >/dev/null
    expect 6 soma token create --scope read twice
    err_has "there is a token 'twice' already"
}

test_insecure_is_said_in_so_many_words_and_at_each_start() {
    stop_server TERM
    start_asking_server --insecure on
    expect 0 over_tcp "" ping
    expect 0 grep -q "INSECURE whoever reaches tcp://127.0.0.1:0 may call everything" "$scratch/somad.log"
    stop_server TERM
    expect 2 "$somad_program" --data "$scratch/data" --listen "$owner" --insecure yes
    err_has "neither on nor off"
    expect 2 "$somad_program" --data "$scratch/data" --listen tcp://0.0.0.0:0
    err_has "only loopback addresses"
    start_asking_server
}

run_tests
