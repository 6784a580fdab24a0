#!/usr/bin/env bash
# The examples of client/examples/ do what their first lines say.
# shellcheck disable=SC1091,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
examples=$SOMA_BUILD/client/examples
start_server_for_calling_jobs || exit 1

test_examples_are_short() {
    local file
    for file in ../../client/examples/*.c; do
        [ "$(wc -l <"$file")" -lt 100 ] || fail "$file has 100 lines or more"
    done
}

test_submit_follow_shows_output_as_it_comes_and_ends_as_the_job_does() {
    expect 3 "$examples/submit_follow" 'echo one; echo two >&2; exit 3'
    out_is one
    err_has two
    err_has ": failed after"
    # What a follow that is cut off has shown, another one shows again, from the server.
    local id
    id=$(head -n 1 "$scratch/err")
    expect 3 "$examples/submit_follow" --job "$id"
    out_is one
    expect 125 "$examples/submit_follow" --job "$id"x
    err_has "follow: "
    expect 2 "$examples/submit_follow"
}

test_fan_out_gathers_what_its_workers_found() {
    expect 0 "$examples/fan_out" 5000
    out_is "669 primes below 5000"
    is "$(soma -o json queue show primes | jq -c '[.max_running, .finished_jobs]')" "[2,8]"
}

test_import_search_finds_what_is_alike_and_writes_nothing_twice() {
    printf '%s\n' 'durable jobs outlive their clients' 'vectors are searched by distance' \
        'a job writes its output to the server' 'short' 'filters are answered from bitmaps' >"$scratch/lines"
    expect 0 "$examples/import_search" "$scratch/lines" 'searching vectors by distance'
    is "$(sed -n 1p "$scratch/out")" "5 new, 0 unchanged"
    is "$(sed -n '2s/^[0-9.]* *//p' "$scratch/out")" "vectors are searched by distance"
    is "$(wc -l <"$scratch/out")" 4
    expect 0 "$examples/import_search" "$scratch/lines" 'bitmap filters'
    is "$(sed -n 1p "$scratch/out")" "0 new, 5 unchanged"
    is "$(sed -n '2s/^[0-9.]* *//p' "$scratch/out")" "filters are answered from bitmaps"
}

test_service_runs_as_a_job_that_searches() {
    soma collection create points --dim 2 --metric l2 >/dev/null
    printf '{"id": "%s", "embedding": [%s]}\n' a '0, 0' b '0, 1' c '0, 3' d '9, 9' | soma upsert points - >/dev/null
    expect 0 "$examples/service" points a
    out_is "b 1.000
c 9.000
d 162.000"
    expect 1 "$examples/service" points nobody
    err_has "query: "
}

test_event_loop_says_when_each_of_its_jobs_ends() {
    expect 0 "$examples/event_loop" 'sleep 1; exit 4' true 'exit 2'
    is "$(sort "$scratch/out")" "exit 2: exit status 2
sleep 1; exit 4: exit status 4
true: exit status 0"
    is "$(tail -n 1 "$scratch/out")" "sleep 1; exit 4: exit status 4"
}

run_tests
