#!/usr/bin/env bash
# The command line and what decides when a job is started.
# harness.sh assigns.
# shellcheck disable=SC1091,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
start_server || exit 1

# member_of ID MEMBER
member_of() { soma -o json show "$1" | jq -r ".$2"; }

waits_for() { [ "$(member_of "$1" wait)" = "$2" ]; }

test_a_paused_queue_is_seen_and_resumed() {
    expect 0 soma queue pause night
    local id
    id=$(soma submit -q --queue night -- true)
    expect 0 soma ps --queue night
    out_has "queue paused"
    is "$(member_of "$id" wait)" queue_paused
    expect 0 soma queue ls
    out_has "paused"
    is "$(soma -o json queue show night | jq -c '[.paused, .queued_jobs]')" '[true,1]'
    expect 0 soma -q queue resume night
    out_is ""
    expect 0 soma wait "$id"
}

# Each connection is a descriptor, and one client takes less than ten of them.
test_many_queues_take_one_connection() {
    local names
    mapfile -t names < <(seq -f 'many%g' 100)
    expect 0 bash -c 'ulimit -n 50 && exec "$@"' - "$soma_program" -q queue pause "${names[@]}"
    is "$(soma queue ls -q | grep -c many)" 100
    expect 0 soma -q queue resume "${names[@]}"
}

test_settings_of_a_queue_are_set_one_by_one() {
    expect 0 soma queue set --max-running 2 --keep-jobs 10 gpu
    out_has "2 at once"
    expect 0 soma queue set --keep 12h --keep-size 1G gpu
    out_has "12h, 10 jobs, 1.0 GiB"
    is "$(soma -o json queue show gpu | jq .max_running)" 2
    is "$(soma -q queue ls | grep -c gpu)" 1
    expect 0 soma queue set --max-running 0 --keep 0 --keep-jobs 0 --keep-size 0 gpu
    expect 3 soma queue show gpu
    err_has "neither jobs nor settings"
    expect 2 soma queue set gpu
    expect 2 soma queue set --max-running many gpu
    expect 2 soma queue pause 'no queue'
}

test_a_job_waits_for_others_and_says_for_which() {
    expect 0 soma queue pause held
    local first second
    first=$(soma submit -q --queue held -- true)
    second=$(soma submit -q --after "$first" -- true)
    expect 0 soma show "$second"
    out_has "after other jobs"
    out_has "$first"
    expect 0 soma -q queue resume held
    expect 0 soma wait "$second"
    expect 3 soma submit --after nobody -- true
    err_has "no job 'nobody'"
    expect 2 soma submit --after "$first" --after-policy perhaps -- true
    expect 2 soma submit --after-policy run -- true
    first=$(soma submit -q -- false)
    second=$(soma submit -q --after "$first" --after-policy fail -- true)
    soma wait "$second"
    is "$(member_of "$second" reason)" dependency
    expect 0 soma run -q --after "$first" --after-policy run -- echo "all the same"
    out_is "all the same"
}

test_a_failed_job_is_tried_again_and_shows_its_attempts() {
    local id
    # shellcheck disable=SC2016
    id=$(soma submit -q --retries 2 --backoff 100ms,1.5,1s -- sh -c 'exit $SOMA_ATTEMPT')
    soma wait "$id"
    is "$(member_of "$id" 'attempts | map(.exit_code) | join(" ")')" "1 2 3"
    is "$(soma -o json show "$id" | jq -c .retry)" \
        '{"max_attempts":3,"backoff_ms":100,"backoff_factor":1.5,"backoff_max_ms":1000,"on_reasons":[]}'
    expect 0 soma show "$id"
    out_has "2: exit code 2"
    id=$(soma submit -q --retries 5 --backoff 1h --retry-on wall_timeout,signaled -- false)
    soma wait "$id"
    is "$(member_of "$id" state)" failed
    expect 2 soma submit --retries 100 -- true
    expect 2 soma submit --backoff 1s -- true
    expect 2 soma submit --retries 1 --backoff soon -- true
    expect 2 soma submit --retries 1 --retry-on never -- true
    expect 2 soma submit --retries 1 --retry-on lost -- true
    err_has "idempotent"
}

test_a_waiting_attempt_is_seen_and_cancelled() {
    local id
    id=$(soma submit -q --retries 1 --backoff 1h -- false)
    until_true waits_for "$id" backoff
    expect 0 soma ps
    out_has "attempt 2 at"
    expect 0 soma cancel "$id"
    is "$(member_of "$id" state)" cancelled
    is "$(member_of "$id" 'attempts | length')" 1
}

test_a_key_finds_the_job_that_is_there() {
    expect 0 soma -q queue pause keyed
    local id
    id=$(soma submit -q --queue keyed --dedupe nightly -- true)
    expect 0 soma submit --queue keyed --dedupe nightly -- true
    out_is "$id"
    err_has "already"
    expect 0 soma submit --queue keyed --dedupe nightly -- false
    out_is "$id"
    err_has "other options"
    expect 0 soma -q queue resume keyed
    expect 0 soma wait "$id"
}

test_a_job_that_is_not_started_in_time_expires() {
    expect 0 soma -q queue pause late
    local id
    id=$(soma submit -q --queue late --start-within 100ms -- true)
    expect 124 soma wait "$id"
    is "$(member_of "$id" reason)" expired
    expect 0 soma show "$id"
    out_has "not started by its deadline"
}

test_times_are_taken_as_they_are_written() {
    local id
    id=$(soma submit -q --at 2031-02-03T04:05:06Z -- true)
    expect 0 soma ps -n 1
    out_has "at 2031-02-03T04:05:06"
    is "$(member_of "$id" wait)" time
    expect 0 soma cancel "$id"
}

run_tests
