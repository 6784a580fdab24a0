#!/usr/bin/env bash
# The command line and jobs: every form that scripts rely on, and what bad input gets.
# harness.sh assigns; $ in single quotes is for the job.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
# What a test puts there for its job to run.
export SOMA_READ_PATH=$scratch/soma
start_server || exit 1

test_the_fixed_forms_of_submit_wait_logs_and_show_work() {
    printf 'import sys\nprint("to stdout")\nprint("to stderr", file=sys.stderr)\nsys.exit(7)\n' >"$scratch/job.py"
    local id
    id=$(soma submit -q --language python "$scratch/job.py")
    [[ $id =~ ^[0-9a-z]{20}$ ]] || fail "no id: $id"
    expect 7 soma wait "$id"
    out_is ""
    expect 0 soma logs "$id"
    out_is "to stdout"
    err_is "to stderr"
    is "$(soma -o json show "$id" | jq .state)" '"failed"'
    is "$(soma -o json show "$id" | jq .exit_code)" 7
}

test_submit_prints_one_line_that_ends_in_the_id() {
    expect 0 soma submit -c 'pass'
    is "$(wc -l <"$scratch/out")" 1
    local id
    id=$(awk '{ print $NF }' "$scratch/out")
    expect 0 soma wait "$id"
    is "$(state_of "$id")" succeeded
}

test_programs_come_as_code_file_stdin_and_command() {
    expect 0 soma run -q -c 'import sys; print(sys.argv[1:])' a -- -b
    out_is "['a', '-b']"
    expect 0 soma run -q -- echo one 'two  three' --four
    out_is "one two  three --four"
    is "$(echo 'print(6 * 7)' | soma run -q -)" 42
    printf 'echo "$1"\n' >"$scratch/say.sh"
    expect 0 soma run -q "$scratch/say.sh" hello
    out_is hello
    expect 0 soma --quiet run --language sh -c 'echo sh; cat' --stdin "$scratch/say.sh"
    out_has 'echo "$1"'
    is "$(echo input | soma run -q --stdin - -- cat)" input
    expect 125 soma run --stdin /dev/zero -- cat
    err_has "soma run -i"
}

test_run_exits_as_the_job_does() {
    expect 3 soma run --language sh -c 'exit 3'
    expect 137 soma run --language sh -c 'kill -KILL $$'
    expect 127 soma run -- /nowhere/at/all
    expect 127 soma run -- ./not-sent
    err_has "cannot execute './not-sent' among the job's own files: No such file or directory"
    expect 126 soma run -- /etc/passwd
    expect 124 soma run --time-limit 300ms --grace 100ms -- sleep 100
    expect 0 soma run -- true
}

test_a_zero_that_was_given_means_none() {
    local id
    # One that ignores TERM: without a grace it is killed at once.
    id=$(soma submit -q --grace 0 --output-limit 0 -- sh -c 'trap "" TERM; echo on >$HOME/../on 2>/dev/null; echo on; while :; do sleep 0.1; done')
    until_true state_is "$id" running
    expect 0 soma cancel --wait "$id"
    is "$(soma -o json show "$id" | jq -c '[.kill_grace_ms, .output_bytes, .stdout.kept_bytes]')" '[-1,-1,0]'
    expect 2 soma submit --time-limit 0 -- true
    err_has "cannot be 0"
    id=$(soma submit -q --keep 0 -- true)
    until_true gone "$id"
}

gone() { ! soma show "$1"; }

test_the_version_is_said_behind_a_command_too() {
    expect 0 soma ps --version
    out_has "libsoma"
}

test_run_and_submit_do_as_each_other_when_told() {
    expect 0 soma submit --sync -q -- echo stayed
    out_is stayed
    expect 0 soma run --async -q -- echo went
    [[ $(cat "$scratch/out") =~ ^[0-9a-z]{20}$ ]] || fail "no id: $(cat "$scratch/out")"
    expect 2 soma submit --sync --async -- true
    err_has "exclude each other"
    expect 3 soma submit --sync -q -- sh -c 'exit 3'
}

test_logs_come_in_order_from_a_line_a_time_or_an_attempt() {
    local id
    id=$(soma submit -q -- sh -c 'p() { sleep 0.05; }; echo one; p; echo two >&2; p; echo three; p; echo four >&2')
    expect 0 soma wait "$id"
    is "$(soma logs "$id" 2>&1)" "one
two
three
four"
    is "$(soma logs --tail 2 "$id" 2>&1)" "three
four"
    is "$(soma logs -f --tail 3 "$id" 2>&1)" "two
three
four"
    is "$(soma logs --tail 0 "$id" 2>&1)" ""
    is "$(soma logs --tail 1 --stdout "$id")" three
    is "$(soma logs --since 1h --attempt 1 --stdout "$id" | wc -l)" 2
    is "$(soma logs --since 2099-01-01T00:00:00Z "$id" 2>&1)" ""
    is "$(soma logs -f --stdout --offset 4 "$id")" three
    soma logs -t "$id" >"$scratch/out" 2>&1
    is "$(grep -cE '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z [a-z]+$' "$scratch/out")" 4
    expect 2 soma logs --since never "$id"
    err_has "neither a duration nor a time"
}

test_logs_say_when_they_cannot_be_written() {
    local id
    id=$(soma submit -q -- echo words)
    expect 0 soma wait "$id"
    soma logs "$id" >/dev/full 2>"$scratch/err"
    is $? 1
    err_has "cannot write to stdout: No space left on device"
    soma logs -f "$id" >/dev/full 2>"$scratch/err"
    is $? 1
    err_has "cannot write to stdout: No space left on device"
}

test_of_a_flood_head_and_tail_are_kept() {
    local id
    id=$(soma submit -q --output-limit 30 --output-tail 10 -- sh -c 'for i in $(seq 10 99); do echo word $i; done')
    expect 0 soma wait "$id"
    expect 0 soma logs "$id"
    is "$(head -n 1 "$scratch/out")" "word 10"
    is "$(tail -n 1 "$scratch/out")" "word 99"
    is "$(soma -o json show "$id" | jq -c .stdout)" '{"kept_bytes":30,"dropped_bytes":690}'
}

test_an_interactive_job_is_talked_with() {
    printf 'one\ntwo\n' | soma run -q -i -- sh -c 'while read -r x; do echo "got $x"; done; echo end' >"$scratch/out"
    is $? 0
    out_is "got one
got two
end"
    is "$(head -c 3000000 /dev/zero | soma run -q -i -- wc -c)" 3000000
    # A program that does not wait for its input's end ends.
    mkfifo "$scratch/silent"
    exec 7<>"$scratch/silent"
    is "$(soma run -q -i -- echo over <&7)" over
    exec 7>&-
    expect 2 soma submit -i --stdin /dev/null -- cat
}

test_ps_sorts_what_it_lists() {
    soma submit -q -l sort=it --name bbb -- true >/dev/null
    soma submit -q -l sort=it --name aaa -- sh -c 'echo much' >/dev/null
    soma submit -q -l sort=it --name ccc -- true >/dev/null
    soma ps -q -l sort=it | xargs "$soma_program" wait >/dev/null
    is "$(soma -o json ps -l sort=it | jq -c '[.[].name]')" '["ccc","aaa","bbb"]'
    is "$(soma -o json ps -l sort=it --sort name | jq -c '[.[].name]')" '["aaa","bbb","ccc"]'
    is "$(soma -o json ps -l sort=it --sort oldest | jq -c '[.[].name]')" '["bbb","aaa","ccc"]'
    is "$(soma -o json ps -l sort=it --sort size | jq -c '.[0].name')" '"aaa"'
    expect 2 soma ps --sort luck
}

# What ended before the watch began is no change to it.
a_job_is_seen() {
    soma submit -q -l watch=it -- true
    grep -q '"succeeded"' "$scratch/changes"
}

test_watch_says_each_change_where_there_is_no_terminal() {
    local watcher
    "$soma_program" -o jsonl watch -l watch=it >"$scratch/changes" &
    watcher=$!
    until_true a_job_is_seen
    kill "$watcher"
    wait "$watcher" 2>/dev/null
}

test_watch_says_why_its_output_cannot_be_written() {
    "$soma_program" -o jsonl watch -l watch=full >/dev/full 2>"$scratch/err" &
    local watcher=$!
    until_true sh -c "'$soma_program' submit -q -l watch=full -- true && ! kill -0 $watcher"
    wait "$watcher"
    is "$?" 1
    is "$(jq -r .error "$scratch/err")" "cannot write to stdout: No space left on device"
}

test_run_passes_bytes_on_as_they_are() {
    head -c 300000 /dev/urandom >"$scratch/bytes"
    soma run -q --stdin "$scratch/bytes" -- sh -c 'tee /dev/stderr' >"$scratch/out" 2>"$scratch/err"
    cmp "$scratch/bytes" "$scratch/out" || fail "stdout differs"
    cmp "$scratch/bytes" "$scratch/err" || fail "stderr differs"
}

test_run_detached_is_submit() {
    expect 0 soma run -d -q -- true
    expect 0 soma wait "$(cat "$scratch/out")"
}

test_environment_labels_name_and_queue_arrive() {
    local id
    id=$(soma submit -q --name n1 --queue q1 --priority -5 -l a=1 --label b=x=y -e WORD='with space' -- sh -c 'echo "$WORD"')
    soma wait "$id"
    is "$(soma logs "$id")" "with space"
    is "$(soma -o json show "$id" | jq -c '[.name, .queue, .priority, .labels]')" '["n1","q1",-5,{"a":"1","b":"x=y"}]'
    is "$(soma ps -q -l b=x=y)" "$id"
    is "$(soma ps -q --queue q1 --state succeeded)" "$id"
    is "$(soma ps -q --queue q1 --state failed,queued)" ""
}

test_wait_for_several_prints_each_code() {
    local first second
    first=$(soma submit -q --language sh -c 'exit 0')
    second=$(soma submit -q --language sh -c 'exit 5')
    expect 5 soma wait "$first" "$second"
    out_is "0
5"
}

test_wait_gives_up_with_8() {
    local id
    id=$(soma submit -q -- sleep 100)
    expect 8 soma wait --timeout 200ms "$id"
    err_has "not finished within --timeout"
    expect 0 soma cancel --force --wait "$id"
    expect 143 soma wait "$id"
}

test_follow_ends_with_the_job() {
    local id
    id=$(soma submit -q --language sh -c 'for i in 1 2 3; do echo $i; echo e$i >&2; sleep 0.1; done')
    expect 0 soma logs -f "$id"
    out_is "1
2
3"
    err_is "e1
e2
e3"
    expect 0 soma logs --stdout --offset 2 "$id"
    out_is "2
3"
    err_is ""
    expect 0 soma logs --stderr "$id"
    out_is ""
}

test_progress_is_reported_from_inside_and_from_outside() {
    local id
    # Where the job's user can get to it, wherever this build stands.
    install -m 755 "$soma_program" "$scratch/soma"
    id=$(soma submit -q -e "SOMA=$scratch/soma" --language sh -c '"$SOMA" progress 40 "epoch 4/10" && sleep 100')
    until_true sh -c "test \"\$('$soma_program' -o json show $id | jq -r .progress.message)\" = 'epoch 4/10'"
    is "$(soma -o json show "$id" | jq '.progress.percent == 40')" true
    expect 0 soma progress --job "$id" 75% almost
    is "$(soma -o json show "$id" | jq -c '[.progress.percent == 75, .progress.message]')" '[true,"almost"]'
    expect 0 soma cancel --force --wait "$id"
    expect 6 soma progress --job "$id" 80
}

test_cancel_retry_and_rm() {
    local id
    id=$(soma submit -q -- sleep 100)
    expect 6 soma rm "$id"
    err_has "hint: 'soma cancel ID'"
    expect 0 soma cancel --wait --note enough "$id"
    is "$(state_of "$id")" cancelled
    id=$(soma submit -q -- true)
    expect 0 soma wait "$id"
    expect 0 soma cancel "$id"
    out_is "$id is over, succeeded; jobs that it submitted are asked to end"
    id=$(soma submit -q -- sleep 100)
    expect 0 soma cancel --wait "$id"
    expect 0 soma retry -q "$id"
    out_is "$id"
    until_true state_is "$id" running
    is "$(soma -o json show "$id" | jq .attempt)" 2
    expect 0 soma cancel --force --wait "$id"
    expect 0 soma rm "$id"
    expect 3 soma show "$id"
}

test_prune_counts_and_removes() {
    local id
    id=$(soma submit -l prune=me -- true)
    soma wait "$id"
    expect 2 soma logs -o json "$id"
    err_has "no other format"
    expect 0 soma -o json prune --dry-run -l prune=me
    is "$(jq -c '[.removed_count, .dry_run]' "$scratch/out")" '[1,true]'
    expect 0 soma -o json prune --older-than 1h -l prune=me
    is "$(jq .removed_count "$scratch/out")" 0
    expect 0 soma prune -l prune=me
    out_has "removed 1 job,"
    expect 3 soma show "$id"
    expect 2 soma prune --state running
    err_has "only jobs that have ended"
}

test_ps_lists_in_every_form() {
    local id
    id=$(soma submit -q -l form=all -- true)
    soma wait "$id"
    expect 0 soma ps -l form=all
    out_has "$id  succeeded"
    is "$(awk '{ if (length > 80) print }' "$scratch/out")" ""
    is "$(soma -o json ps -l form=all | jq -r '.[0].id')" "$id"
    is "$(soma -o jsonl ps -l form=all | jq -r .id)" "$id"
    is "$(soma -o json ps -l form=none)" "[]"
    is "$(soma ps -q -n 1 | wc -l)" 1
    expect 2 soma ps --all -n 1
}

test_show_tells_the_limits_that_were_given() {
    local id
    id=$(soma submit -q --time-limit 150m --memory 64M --cpu-time 90s --processes 9 -- true)
    expect 0 soma wait "$id"
    expect 0 soma show "$id"
    out_has "time 2h30m,"
    out_has "memory 64.0 MiB"
    out_has "CPU time 1m30s"
    out_has "9 processes at once"
}

test_who_may_not_open_the_socket_is_told_so() {
    [ "$(id -u)" = 0 ] || return 0
    expect 5 setpriv --reuid 65534 --regid 65534 --clear-groups "$soma_program" --timeout 1s ps
    err_has "this user may not open it"
}

test_submit_tells_what_was_submitted() {
    expect 0 soma -o json submit --priority 7 --queue told --name me -l a=b -- true
    is "$(jq -c '[.priority, .queue, .name, .labels]' "$scratch/out")" '[7,"told","me",{"a":"b"}]'
}

test_names_cannot_paint_the_terminal() {
    local id
    id=$(soma submit -q --name "$(printf 'a\033[31mb')" -l paint=no -- true)
    soma wait "$id"
    expect 0 soma ps -l paint=no
    out_has 'a?[31mb'
    expect 0 soma show "$id"
    grep -q $'\033' "$scratch/out" && fail "escape sequences in show"
}

test_options_stand_before_and_after_the_command() {
    expect 0 soma -o json --server "$SOMA_SERVER" ps
    expect 0 soma ps --output=json --server="$SOMA_SERVER"
    is "$(jq -r type "$scratch/out")" array
}

test_the_server_refuses_what_it_must_and_names_the_field() {
    expect 3 soma show 00000000000000000000
    err_has "soma: cannot show job 00000000000000000000: "
    err_has "hint: 'soma ps --all'"
    expect 125 soma wait 00000000000000000000
    expect 3 soma logs 00000000000000000000
    expect 3 soma cancel 00000000000000000000
    is "$(soma -o json info | jq -r '.languages | has("python")')" true
    expect 2 soma submit --language cobol -c x
    err_has "option --language"
    err_has "hint: 'soma info'"
    expect 2 soma submit --queue 'no spaces' -- true
    err_has queue
    expect 2 soma submit --time-limit 8d -- true
    err_is "soma: cannot submit the job: option --time-limit: spec.limits.wall_time_ms is 691200000 (8d), allowed are 0 to 604800000 (7d)"
    expect 2 soma submit --output-limit 100G -- true
    err_has "option --output-limit: spec.limits.output_bytes is 107374182400 (100G), allowed are -1 to 10737418240 (10G)"
    local option
    for option in --after --dedupe --queue --code; do
        expect 2 soma submit "$option" '' -- true
        err_has "option $option: it is empty"
    done
    expect 2 soma submit -e 1X=y -- true
    expect 2 soma submit -e SOMA_X=y -- true
    expect 125 soma run --language cobol -c x
    expect 2 soma submit --name "$(printf '\377')" -- true
}

test_failures_are_one_json_object_with_o_json() {
    expect 3 soma -o json show 00000000000000000000
    is "$(jq -r .reason "$scratch/err")" JOB_NOT_FOUND
    is "$(jq -r .code "$scratch/err")" NOT_FOUND
    is "$(jq -r .exit_status "$scratch/err")" 3
    out_is ""
}

test_output_that_nobody_reads_ends_the_job_quietly() {
    local id
    soma run --name endless -l pipe=broken -- yes 2>"$scratch/err" | head -n 1 >"$scratch/out"
    is "${PIPESTATUS[0]}" 141
    out_is y
    id=$(soma ps -q -l pipe=broken)
    expect 143 soma wait "$id"
    grep -q soma: "$scratch/err" && [ "$(grep -vc 'soma: job ' "$scratch/err")" != 0 ] && fail "it was not quiet"
}

test_a_server_that_cannot_listen_starts_no_job() {
    local id
    id=$(soma submit -q --delay 1h -- true)
    stop_server TERM
    # Its time has come while no server was there.
    sqlite3 "$scratch/data/soma.db" "UPDATE job SET due_unix_ms = 1 WHERE id = '$id'"
    expect 1 "$somad_program" --data "$scratch/data" --listen ipc:///proc/somad.sock
    is "$(sqlite3 "$scratch/data/soma.db" "SELECT state, attempt FROM job WHERE id = '$id'")" "1|0"
    start_server
    expect 0 soma wait "$id"
}

run_tests
