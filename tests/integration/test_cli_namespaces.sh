#!/usr/bin/env bash
# Namespaces from the command line: what a token cannot leave, and what the owner of the socket may name.
# harness.sh assigns.
# shellcheck disable=SC1091,SC2034,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh

owner=$SOMA_SERVER
start_asking_server() {
    "$somad_program" --data "$scratch/data" --listen "$owner" --listen tcp://127.0.0.1:0 --sandbox best_effort "$@" >>"$scratch/somad.log" 2>&1 &
    somad_pid=$!
    until_true "$soma_program" --timeout 1s ping
    tcp=$(soma -o json info | jq -r '.listeners[1]')
}
start_asking_server || exit 1
sandbox=best_effort
if ! soma -o json info | jq -e '.enforcement[] | select(.name == "namespaces").enforced' >/dev/null; then
    sandbox=off
fi

in_a() { soma --namespace a "$@"; }
in_default() { soma --namespace default "$@"; }
in_b() { soma --namespace b "$@"; }
# over_tcp TOKEN ARGS…: the command line over TCP.
over_tcp() { SOMA_TOKEN=$1 "$soma_program" --server "$tcp" "${@:2}"; }
wait_for() { soma --namespace "$1" wait -q "$2" >/dev/null; }

test_a_job_is_not_there_for_another_namespace() {
    local id
    id=$(in_a submit -q --label team=x -- echo secret)
    wait_for a "$id"
    expect 0 in_a show "$id"
    for stranger in in_b in_default; do
        expect 3 "$stranger" show "$id"
        err_has "no such job"
        expect 3 "$stranger" logs "$id"
        expect 125 "$stranger" wait "$id"
        expect 3 "$stranger" cancel "$id"
        expect 3 "$stranger" retry "$id"
        expect 3 "$stranger" rm "$id"
        expect 0 "$stranger" ps -q --all
        grep -q "$id" "$scratch/out" && fail "$stranger sees it"
        expect 0 "$stranger" ps -q --all --label team=x
        out_is ""
        expect 3 "$stranger" submit -q --after "$id" -- true
    done
    expect 0 in_a ps -q --all
    out_has "$id"
    expect 0 in_a ps -q --all --label team=x
    out_is "$id"
    is "$(SOMA_NAMESPACE=a "$soma_program" logs "$id")" secret
}

test_queues_and_dedupe_keys_of_one_name_have_nothing_to_do_with_each_other() {
    local first second
    in_a queue set work --max-running 3
    in_b queue pause work
    first=$(in_a submit -q --queue work --dedupe key -- sleep 60)
    second=$(in_b submit -q --queue work --dedupe key -- sleep 60)
    [ "$first" != "$second" ] || fail "one job for two namespaces"
    is "$(in_a submit -q --queue work --dedupe key -- sleep 60)" "$first"
    is "$(in_a -o json queue show work | jq -c '[.name, .paused, .max_running]')" '["work",false,3]'
    is "$(in_b -o json queue show work | jq -c '[.name, .paused, .max_running, .queued_jobs]')" '["work",true,0,1]'
    expect 3 soma queue show work
    is "$(in_b -o json queue ls | jq -c '[.[].name]')" '["work"]'
    is "$(in_b -o json show "$second" | jq -r .queue)" work
    expect 0 in_a cancel "$first"
    expect 0 in_b prune
    expect 0 in_a show "$first"
    expect 0 in_b cancel "$second"
    in_b queue resume work
}

test_a_namespace_has_collections_and_aliases_of_its_own() {
    local uid dump=$scratch/docs.snapshot
    for space in a b; do
        expect 0 soma --namespace $space collection create docs --dim 2 --metric l2
        expect 0 soma --namespace $space collection alias docs current
    done
    echo '{"id": "r1", "embedding": [1, 2]}' | in_a upsert docs - >/dev/null
    is "$(in_a count docs)" 1
    is "$(in_a count current)" 1
    is "$(in_b count docs)" 0
    expect 3 soma count docs
    err_has "no collection 'docs'"
    expect 3 soma count a/docs
    expect 0 soma collection ls -q
    out_is ""
    expect 0 in_a collection ls -q
    out_is "docs"
    uid=$(in_a -o json collection show docs | jq -r .uid)
    is "$(in_a -o json collection show "$uid" | jq -c '[.name, .aliases]')" '["docs",["current"]]'
    expect 3 in_b collection show "$uid"
    expect 6 in_a collection create docs --dim 2
    err_has "collection 'docs' exists"
    expect 0 in_a collection snapshot docs "$dump"
    expect 0 in_b collection restore copy "$dump"
    is "$(in_b count copy)" 1
    expect 3 in_a count copy
    expect 0 in_b collection rm docs
    is "$(in_a count docs)" 1
}

test_a_token_works_in_its_namespace_and_cannot_leave_it() {
    local token other id own
    token=$(in_a token create -q --scope admin admin-of-a)
    other=$(soma token create -q --scope admin admin-of-default)
    id=$(over_tcp "$token" submit -q -- true)
    expect 0 in_a show "$id"
    expect 0 over_tcp "$token" --namespace a show "$id"
    expect 3 over_tcp "$other" show "$id"
    for space in b default; do
        expect 4 over_tcp "$token" --namespace $space ps
        err_has "the token is of namespace 'a' and opens nothing in '$space'"
    done
    expect 4 over_tcp "$other" --namespace a ps
    expect 0 over_tcp "$other" --namespace default ps
    # Nor do its tokens: it sees, makes and revokes those of its own.
    own=$(over_tcp "$token" token create -q --scope read made-by-a)
    expect 3 over_tcp "$own" show "$(soma submit -q -- true)"
    is "$(over_tcp "$token" -o json token ls | jq -c '[.[] | [.name, .namespace]]')" '[["admin-of-a","a"],["made-by-a","a"]]'
    expect 3 over_tcp "$token" token revoke admin-of-default
    is "$(soma -o json token ls | jq -c '[.[] | .namespace]')" '["default","a","a"]'
    expect 3 soma token revoke made-by-a
    err_has "there is no token 'made-by-a' in the namespace 'default'"
    expect 0 in_a token revoke made-by-a
    stop_server KILL
    start_asking_server
    expect 0 over_tcp "$token" show "$id"
    expect 3 over_tcp "$other" show "$id"
}

test_names_of_tokens_are_of_their_namespace_and_tell_others_nothing() {
    local admin_a admin_b mine theirs
    admin_a=$(in_a token create -q --scope admin boss)
    admin_b=$(in_b token create -q --scope admin boss)
    theirs=$(over_tcp "$admin_b" token create -q --scope read quiet-name)
    # A name that another namespace has is neither taken nor there.
    expect 3 over_tcp "$admin_a" token revoke quiet-name
    mine=$(over_tcp "$admin_a" token create -q --scope read quiet-name)
    expect 6 over_tcp "$admin_a" token create --scope read quiet-name
    expect 0 over_tcp "$mine" ps
    is "$(over_tcp "$admin_a" -o json token ls | jq -c '[.[] | select(.name == "quiet-name")] | length')" 1
    expect 0 over_tcp "$admin_a" token revoke quiet-name
    expect 4 over_tcp "$mine" ps
    expect 0 over_tcp "$theirs" ps
    stop_server KILL
    start_asking_server
    expect 4 over_tcp "$mine" ps
    expect 0 over_tcp "$theirs" ps
    expect 0 in_b token revoke quiet-name boss
    expect 4 over_tcp "$theirs" ps
    expect 0 over_tcp "$admin_a" ps
}

test_a_check_tells_a_token_of_its_namespace_alone() {
    local checker_h checker_i reader id
    checker_h=$(soma --namespace h token create -q --scope admin checker)
    checker_i=$(soma --namespace i token create -q --scope admin checker)
    reader=$(soma --namespace h token create -q --scope read reader)
    id=$(soma --namespace h submit -q -- echo gone)
    wait_for h "$id"
    soma --namespace h collection create sick --dim 2 --metric l2 >/dev/null
    echo '{"id": "r1", "embedding": [1, 2]}' | soma --namespace h upsert sick - >/dev/null
    mv "$scratch/data/jobs/$id" "$scratch/aside"
    mkdir "$scratch/data/jobs/00000000000000000000"
    # Behind the server's back.
    sqlite3 "$scratch/data/soma.db" "DELETE FROM embedding WHERE num IN (SELECT max(num) FROM embedding)"
    expect 0 over_tcp "$checker_i" check
    out_is "the server's data is sound"
    expect 1 over_tcp "$checker_h" check
    out_has "job $id: 0 of the 5 bytes of its stdout are there"
    out_has "collection sick: records whose embedding is missing"
    is "$(grep -cvE "^(job $id|collection sick): " "$scratch/out")" 0
    expect 4 over_tcp "$reader" check
    err_has "which wants admin"
    # The owner of the socket is told of all, by full names.
    expect 1 soma check
    out_has "job $id: "
    out_has "collection h/sick: "
    rm -rf "$scratch/data/jobs/00000000000000000000"
    mv "$scratch/aside" "$scratch/data/jobs/$id"
    expect 0 soma --namespace h collection rm sick
    expect 0 soma --namespace h token revoke checker reader
    expect 0 soma --namespace i token revoke checker
}

test_a_job_and_its_children_are_in_the_namespace_of_who_submitted() {
    stop_server TERM
    start_asking_server --sandbox "$sandbox"
    soma --namespace e collection create --exist-ok docs --dim 2 --metric l2 >/dev/null
    soma collection create --exist-ok outside --dim 2 --metric l2 >/dev/null
    expect 0 soma --namespace e run --file "$soma_program:soma" --language sh -c './soma count docs; ./soma count outside; ./soma -q run --file soma --language sh -c "./soma collection ls -q"'
    out_has "docs"
    err_has "no collection 'outside'"
    expect 0 soma --namespace e run --file "$soma_program:soma" --language sh -c './soma --namespace b ps; echo $?'
    out_is 4
    soma collection rm outside >/dev/null
}

test_one_namespace_does_not_fill_the_queues_of_all() {
    local id
    stop_server TERM
    start_asking_server --max-namespace-queued 2
    submit_in() { soma --namespace "$1" --timeout 500ms submit -q --queue "$2" --delay 1h -- true; }
    submit_in c one >/dev/null
    id=$(submit_in c two)
    expect 7 submit_in c one
    err_has "2 jobs of the namespace are queued, at most 2"
    expect 0 submit_in d one
    expect 0 soma --namespace c cancel "$id"
    expect 0 submit_in c two
    expect 7 soma --namespace c --timeout 500ms retry "$id"
    stop_server TERM
    start_asking_server
}

test_submits_of_one_namespace_have_a_rate() {
    local i
    stop_server TERM
    start_asking_server --max-submits 2
    queue_one() { soma --namespace "$1" --timeout "$2" submit -q --delay 1h -- true; }
    for i in 1 2; do queue_one f 5s >/dev/null; done
    for i in 1 2 3 4 5 6; do queue_one f 1ms >/dev/null 2>&1; done
    # Who is told to wait does so and gets through; others notice nothing.
    expect 0 queue_one f 20s
    expect 0 queue_one g 5s
    is "$(soma -o json info | jq '.limits["max-submits"] // (.limits[] | select(.name == "max-submits").value)')" 2
    stop_server TERM
    start_asking_server
}

test_mistakes_are_told() {
    local word
    for word in a/b .a 'a b' "$(printf 'x%.0s' {1..64})"; do
        expect 2 soma --namespace "$word" ps
    done
}

run_tests
