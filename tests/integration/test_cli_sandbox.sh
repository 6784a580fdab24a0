#!/usr/bin/env bash
# Sandbox and limits from the command line: what is asked for, what is told, what is refused. Where this machine lacks a wall, what is told must say so.
# harness.sh assigns; $ in single quotes is for the job.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
start_server || exit 1

# enforced NAME: what the server says of a layer.
enforced() { soma -o json info | jq -r --arg name "$1" '.enforcement[] | select(.name == $name) | .enforced'; }
# job_layer ID NAME: what a job says of it.
job_layer() { soma -o json show "$1" | jq -r --arg name "$2" '.isolation[] | select(.name == $name) | .enforced'; }
reason_of() { soma -o json show "$1" | jq -r .reason; }

restart_with() {
    stop_server TERM
    # shellcheck disable=SC2163
    export "$@"
    start_server
}

test_info_tells_each_layer_and_a_job_the_same() {
    local id layer
    is "$(soma -o json info | jq -r .sandbox)" best_effort
    is "$(soma -o json info | jq -r .job_network)" false
    id=$(soma submit -q -- true)
    expect 0 soma wait "$id"
    for layer in namespaces landlock seccomp filesystem network signals tree_kill user privileges environment; do
        is "$layer $(job_layer "$id" "$layer")" "$layer $(enforced "$layer")"
    done
    expect 0 soma show "$id"
    out_has "tree_kill: "
    # A limit that was not asked for is not enforced.
    is "$(job_layer "$id" memory)" false
}

test_a_start_leaves_the_cgroups_of_living_runners() {
    local id above own
    above=/sys/fs/cgroup/memory$(sed -n 's,^[0-9]*:memory:/\?,/,p' /proc/self/cgroup)
    # One of its own: a server of another test would sweep as well.
    own=$above/soma-test.$$
    mkdir "$own" 2>/dev/null || { echo "# no cgroups here" && return; }
    id=$(soma submit -q -- true)
    expect 0 soma wait "$id"
    stop_server TERM
    mkdir -p "$own/soma-jobs/$id.1" "$own/soma-jobs/$id.2"
    echo $$ >"$own/cgroup.procs"
    exec 8<"$scratch/data/jobs/$id/1/lock"
    flock 8
    start_server 8<&-
    is "$(find "$own/soma-jobs" -name "$id*" -printf '%f\n')" "$id.1"
    exec 8<&-
    stop_server TERM
    start_server
    is "$(find "$own/soma-jobs" -name "$id*")" ""
    stop_server TERM
    echo $$ >"$above/cgroup.procs"
    until_true rmdir "$own/soma-jobs"
    until_true rmdir "$own"
    start_server
}

test_limits_end_a_job_with_their_own_reason_and_status() {
    local id
    expect 137 soma run --memory 50M -- python3 -c 'import time; x = b"x" * 200000000; time.sleep(100)'
    err_has "the memory limit was passed"
    expect 152 soma run --cpu-time 300ms --language sh -c 'while :; do :; done'
    err_has "the CPU time limit was reached"
    expect 153 soma run --disk 1M --language sh -c 'head -c 5000000 /dev/zero >fill; sleep 100'
    err_has "disk limit"
    expect 153 soma run --output-limit 1K --end-at-output-limit --language sh -c 'yes; sleep 100'
    id=$(soma submit -q --open-files 50 --file-size 1M --processes 40 --tmp-size 1M --language sh -c 'ulimit -n')
    expect 0 soma wait "$id"
    expect 0 soma logs "$id"
    out_is 50
    is "$(soma -o json show "$id" | jq -c '[.open_files, .file_bytes, .processes, .tmp_bytes]')" '[50,1048576,40,1048576]'
    is "$(job_layer "$id" processes)" true
    expect 2 soma submit --memory lots -- true
    expect 2 soma submit --processes 0 -- true
    expect 2 soma submit --sandbox off -- true
    err_has "none of required, best-effort"
}

test_the_network_is_refused_unless_both_want_it() {
    expect 6 soma submit --network -- true
    err_has "gives jobs no network"
    restart_with SOMA_JOB_NETWORK=on
    local id
    id=$(soma submit -q --network -- true)
    expect 0 soma wait "$id"
    is "$(job_layer "$id" network)" false
    is "$(soma -o json show "$id" | jq -r .network)" true
    id=$(soma submit -q -- true)
    expect 0 soma wait "$id"
    is "$(job_layer "$id" network)" "$(enforced network)"
    restart_with SOMA_JOB_NETWORK=off
}

test_a_running_job_shows_what_it_uses() {
    local id
    id=$(soma submit -q --language sh -c 'while [ ! -e done ]; do :; done')
    until_true sh -c "'$soma_program' -o json show $id | jq -e '.resource_use.processes >= 1 and .resource_use.user_time_ms > 0 and .resource_use.memory_bytes > 0'"
    expect 0 soma show "$id"
    out_has "of CPU so far"
    expect 0 soma cancel --wait --note "a test's end" "$id"
    is "$(soma -o json show "$id" | jq -c '[.asked_count, .killed_count]')" '[1,0]'
    is "$(soma -o json show "$id" | jq -r .message)" "cancelled: a test's end, by $(id -un) on $(hostname); 1 process was asked to end"
}

test_a_cancel_says_who_asked() {
    local id
    id=$(soma submit -q -- sleep 1000)
    until_true state_is "$id" running
    expect 0 soma cancel --wait "$id"
    [[ $(soma -o json show "$id" | jq -r .message) == "cancelled: by $(id -un) on $(hostname)"* ]] || fail "nobody is named"
    expect 0 soma show "$id"
    is "$(grep -c '^state  *cancelled: by ' "$scratch/out")" 1
    is "$(grep -c '^attempt  *1: cancelled: by ' "$scratch/out")" 1
}

test_a_job_that_its_machine_ended_is_not_told_to_have_ended_by_itself() {
    local id
    id=$(soma submit -q --grace 0 -- sleep 1000)
    until_true state_is "$id" running
    until_true sh -c "kill -TERM \$('$soma_program' -o json show $id | jq -e 'select(.runner_pid > 0).runner_pid')"
    expect 143 soma wait "$id"
    expect 0 soma show "$id"
    out_has "failed, signal 15 (Terminated): ended with the machine or by its operator: the runner got SIGTERM"
}

test_what_a_program_left_behind_is_told() {
    local id
    id=$(soma submit -q --language sh -c 'sleep 1000 >/dev/null 2>&1 & exit 3')
    expect 3 soma wait "$id"
    expect 0 soma show "$id"
    out_has "failed, exit code 3; 1 process that it left behind was killed"
    expect 3 soma run --language sh -c 'sleep 1000 >/dev/null 2>&1 & exit 3'
    err_has "1 process that it left behind was killed"
}

# Nobody's cancel waits for anybody else's.
test_many_deaf_jobs_are_cancelled_together() {
    local ids id
    ids=$(for _ in 1 2 3 4; do soma submit -q --grace 1s --language sh -c 'trap "" TERM; echo deaf; while :; do sleep 1000; done'; done)
    for id in $ids; do until_true sh -c "'$soma_program' logs $id | grep -q deaf"; done
    # shellcheck disable=SC2086
    expect 0 soma cancel --wait $ids
    for id in $ids; do
        is "$(reason_of "$id")" cancelled
        soma -o json show "$id" | jq -e '.killed_count >= 1' >/dev/null || fail "nothing was killed of $id"
    done
}

test_without_bubblewrap_the_rest_is_put_up_and_the_lack_is_told() {
    restart_with SOMA_BWRAP=none
    is "$(enforced namespaces)" false
    expect 0 soma info
    out_has "namespaces: bubblewrap is configured away"
    local id
    id=$(soma submit -q --language sh -c 'echo ran; cat ../../../../soma.db; kill -9 $PPID; exit 3')
    expect 3 soma wait "$id"
    is "$(soma logs "$id" 2>/dev/null)" ran
    is "$(job_layer "$id" namespaces)" false
    is "$(job_layer "$id" seccomp)" "$(enforced seccomp)"
    # Whether what is left is enough for those that require a sandbox, the layers say.
    local complete=true layer
    for layer in filesystem network signals seccomp; do
        [ "$(enforced "$layer")" = true ] || complete=false
    done
    if [ "$complete" = true ]; then
        expect 0 soma run --sandbox required -- true
    else
        expect 6 soma submit --sandbox required -- true
        err_has "bubblewrap is configured away"
    fi
    restart_with SOMA_BWRAP=
}

test_a_program_whose_init_was_killed_goes_with_it() {
    local id bwrap runner
    for bwrap in none ""; do
        restart_with "SOMA_BWRAP=$bwrap"
        id=$(soma submit -q --language sh -c 'echo on; sleep 1000')
        until_true sh -c "'$soma_program' logs $id | grep -q on"
        runner=$(soma -o json show "$id" | jq .runner_pid)
        kill -KILL "$(ps -o pid= --ppid "$runner" | head -n 1)"
        expect 137 timeout 20 "$soma_program" wait "$id"
        [[ $(soma -o json show "$id" | jq -r .message) == "the program was ended by SIGKILL, together with its init"* ]] || fail "not told"
    done
}

test_a_bubblewrap_that_fails_is_noticed_at_the_start() {
    restart_with SOMA_BWRAP=/bin/false
    is "$(enforced namespaces)" false
    expect 0 soma run -- true
    restart_with SOMA_BWRAP=/nonexistent/bwrap
    expect 0 soma info
    out_has "namespaces: cannot set up the sandbox: No such file"
    restart_with SOMA_BWRAP=
}

# A runner that is none: each attempt is undone before it began.
test_who_follows_a_job_stays_while_it_cannot_be_started() {
    local follower
    restart_with "SOMA_RUNNER=$PWD/no_runner.py"
    soma run -- echo started at last >"$scratch/followed" 2>"$scratch/said" &
    follower=$!
    until_true sh -c "[ \$(grep -c JOB-QUEUED-AGAIN '$scratch/somad.log') -ge 2 ]"
    restart_with "SOMA_RUNNER=$build/bin/soma-runner"
    wait "$follower"
    is "$?" 0
    is "$(cat "$scratch/followed")" "started at last"
    unset SOMA_RUNNER
}

test_the_sandbox_may_be_off() {
    restart_with SOMA_SANDBOX=off
    is "$(soma -o json info | jq -r .sandbox)" off
    local id
    id=$(soma submit -q -- true)
    expect 0 soma wait "$id"
    is "$(job_layer "$id" namespaces)$(job_layer "$id" landlock)$(job_layer "$id" seccomp)" falsefalsefalse
    # A job may ask for more.
    id=$(soma submit -q --sandbox best-effort -- true)
    expect 0 soma wait "$id"
    is "$(job_layer "$id" filesystem)" "$(enforced filesystem)"
    restart_with SOMA_SANDBOX=auto
}

test_a_path_that_holds_the_data_is_refused() {
    expect 2 "$somad_program" --data "$scratch/other" --listen "ipc://$scratch/other.sock" --read-path "$scratch"
    err_has "read-path"
    expect 2 "$somad_program" --data "$scratch/other" --listen "ipc://$scratch/other.sock" --sandbox maybe
    err_has "none of auto, required, best_effort, off"
}

run_tests
