#!/usr/bin/env bash
# Files in and out of jobs, with the command line.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
start_server || exit 1

test_files_and_directories_go_with_a_job() {
    mkdir -p "$scratch/tree/sub"
    echo one >"$scratch/tree/one"
    echo two >"$scratch/tree/sub/two"
    printf '#!/bin/sh\necho tool\n' >"$scratch/tool"
    chmod +x "$scratch/tool"
    ln -s /etc/passwd "$scratch/tree/link"
    expect 0 soma run -q -F "$scratch/tree" --file "$scratch/tool:bin/run" -- \
        sh -c 'find . -type f | sort; cat tree/sub/two; bin/run; ls tree/link 2>/dev/null; true'
    out_is "./bin/run
./tree/one
./tree/sub/two
two
tool"
    expect 0 soma run -q --file "$scratch/tree/:." -- cat one sub/two
    out_is "one
two"
    err_is ""
}

test_what_is_left_out_is_said() {
    mkdir -p "$scratch/odd"
    ln -s /etc/passwd "$scratch/odd/link"
    echo x >"$scratch/odd/x"
    expect 0 soma submit --file "$scratch/odd" -- true
    err_has "odd/link is left out: it is no regular file"
}

test_a_large_file_arrives_as_it_was() {
    head -c 3500000 /dev/urandom >"$scratch/large"
    expect 0 soma run -q -F "$scratch/large" -- sha256sum large
    is "$(cut -d' ' -f1 "$scratch/out")" "$(sha256sum "$scratch/large" | cut -d' ' -f1)"
    local id
    id=$(soma submit -q -F "$scratch/large:in/put" -- true)
    is "$(soma -o json show "$id" | jq -c '.files')" '[{"path":"in/put","size_bytes":3500000,"executable":false}]'
}

test_many_files_arrive() {
    mkdir -p "$scratch/many"
    local i
    for i in $(seq 300); do head -c 5000 /dev/zero >"$scratch/many/f$i"; done
    expect 0 soma run -q -F "$scratch/many" -- sh -c 'cat many/* | wc -c'
    out_is 1500000
}

test_bad_names_are_refused_before_anything_runs() {
    echo x >"$scratch/plain"
    expect 2 soma submit -F "$scratch/plain:../plain" -- true
    err_has "plain path below the work directory"
    expect 2 soma submit -F "$scratch/plain:a" -F "$scratch/plain:a/b" -- true
    err_has "stands in the place of"
    expect 1 soma submit -F "$scratch/nowhere" -- true
    err_has "cannot read"
    expect 2 soma submit -F ":x" -- true
    err_has "PATH[:NAME]"
    echo twice >"$scratch/twice"
    expect 2 soma submit -F "$scratch/twice:x/y" -F "$scratch/twice:x/y" -- true
    err_has "option --file: spec.files[1].path: two files are called 'x/y'"
}

test_artifacts_are_listed_and_fetched() {
    local id
    id=$(soma submit -q -A out -A '*.log' -- sh -c 'mkdir -p out/d; echo one >out/d/one; echo two >out/two; chmod +x out/two; echo log >x.log')
    expect 0 soma wait "$id"
    expect 0 soma artifacts --list -q "$id"
    out_is "out/d/one
out/two
x.log"
    expect 0 soma artifacts -C "$scratch/results" "$id"
    out_has "4 B  out/two"
    is "$(cat "$scratch/results/out/d/one" "$scratch/results/x.log")" "one
log"
    [ -x "$scratch/results/out/two" ] || fail "out/two is not executable"
    is "$(soma -o json artifacts --list "$id" out/two | jq -c .)" '[{"path":"out/two","size_bytes":4,"executable":true}]'
    is "$(soma -o json show "$id" | jq -c '[.artifact_count,.artifact_bytes_kept,.artifacts]')" '[3,12,["out","*.log"]]'
}

test_one_artifact_can_be_fetched_alone() {
    local id
    mkdir -p "$scratch/alone"
    expect 2 soma submit -A . -- true
    id=$(soma submit -q -A 'f*' -- sh -c 'echo 1 >f1; echo 2 >f2')
    expect 0 soma wait "$id"
    expect 0 soma artifacts -C "$scratch/alone" "$id" f2
    is "$(ls "$scratch/alone")" f2
    expect 3 soma artifacts -C "$scratch/alone" "$id" f3
    err_has "kept no artifact f3"
}

test_artifacts_that_were_not_kept_are_told_where_the_job_ran() {
    local id
    expect 0 soma run -A big --artifact-limit 10 -- sh -c 'seq 1000 >big'
    err_has "1 artifact was left out"
    id=$(soma submit -q -A missing -- true)
    expect 0 soma wait "$id"
    expect 0 soma show "$id"
    is "$(grep -c '^artifacts  *0, 0 B$' "$scratch/out")" 1
}

test_fetched_artifacts_follow_no_links() {
    local id
    mkdir -p "$scratch/trap/away" "$scratch/target"
    ln -s "$scratch/target" "$scratch/trap/out"
    ln -s "$scratch/target/file" "$scratch/trap/plain"
    id=$(soma submit -q -A out -A plain -- sh -c 'mkdir out; echo x >out/x; echo x >plain')
    expect 0 soma wait "$id"
    expect 1 soma artifacts -C "$scratch/trap" "$id" out/x
    expect 1 soma artifacts -C "$scratch/trap" "$id" plain
    is "$(ls -A "$scratch/target")" ""
}

test_artifacts_of_a_running_job_are_not_there_yet() {
    local id
    id=$(soma submit -q -A f -- sh -c 'echo x >f; sleep 100')
    until_true state_is "$id" running
    expect 8 soma artifacts "$id"
    err_has "has not ended"
    expect 0 soma cancel --wait --force "$id"
    expect 0 soma artifacts --list -q "$id"
}

run_tests
