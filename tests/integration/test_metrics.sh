#!/usr/bin/env bash
# What those who watch a server see: metrics, health, and lines of the log for machines.
# shellcheck disable=SC1091,SC2016,SC2034,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh

export SOMA_HTTP=127.0.0.1:0
start_watched() {
    start_server
    address=$(grep -o 'http://[0-9.:]*' "$scratch/somad.log" | tail -n 1)
}
start_watched
package=../../server/package
document=../../docs/METRICS.md

# get PATH [METHOD]: prints the status and, below it, the answer.
get() {
    python3 - "$address$1" "${2:-GET}" <<'PYTHON'
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], method=sys.argv[2])
try:
    answer = urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as error:
    answer = error
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error}")
print(answer.status)
sys.stdout.write(answer.read().decode())
PYTHON
}

metrics() { get /metrics | tail -n +2; }

# value SERIES: as it is now; "" where there is none.
value() { metrics | awk -v series="$1" 'index($0, series " ") == 1 { print $NF }'; }
value_is() { [ "$(value "$1")" = "$2" ]; }

# Skipped on a machine that has none, never in CI.
find_promtool() {
    promtool=../../build/deb/promtool
    [ -x "$promtool" ] || promtool=$(command -v promtool) && return
    [ -n "${CI:-}" ] && fail "there is no promtool"
    return 1
}

test_metrics_are_in_the_format_of_prometheus() {
    soma run -c 'print(1)' >/dev/null 2>&1
    soma collection create of.two --dim 2 >/dev/null
    find_promtool || return
    metrics >"$scratch/metrics"
    expect 0 "$promtool" check metrics <"$scratch/metrics"
    expect 0 "$promtool" check rules "$package/soma-alerts.yml"
}

test_every_metric_of_the_document_is_served_and_no_other() {
    soma ping >/dev/null
    is "$(metrics | sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' | sort)" "$(sed -n 's/^| `\([a-z_]*\)` .*/\1/p' "$document" | sort)"
}

test_the_dashboard_and_the_alerts_name_only_metrics_that_there_are() {
    local names
    names=$(jq -r '.. | .expr? // empty' "$package/soma-dashboard.json" | cat - <(sed -n 's/^ *expr: //p' "$package/soma-alerts.yml") |
        grep -oE '\b(soma|process)_[a-z_]+' | sed -E 's/_(bucket|sum|count)$//' | sort -u)
    [ "$(wc -l <<<"$names")" -gt 15 ] || fail "few names: $names"
    is "$(comm -23 <(echo "$names") <(sed -n 's/^| `\([a-z_]*\)` .*/\1/p' "$document" | sort -u))" ""
}

test_calls_are_counted_by_method_and_code() {
    local ok='soma_rpc_calls_total{method="soma.v1.JobService/GetJob",code="OK"}' none='soma_rpc_calls_total{method="soma.v1.JobService/GetJob",code="NOT_FOUND"}'
    local id before
    soma show nosuchjob >/dev/null 2>&1
    before=$(value "$none")
    soma show nosuchjob >/dev/null 2>&1
    is "$(value "$none")" "$((before + 1))"
    id=$(soma submit -q -c 'pass')
    soma show "$id" >/dev/null
    before=$(value "$ok")
    soma show "$id" >/dev/null
    is "$(value "$ok")" "$((before + 1))"
    is "$(value 'soma_rpc_call_seconds_count{method="soma.v1.JobService/GetJob"}')" \
        "$(metrics | awk '/^soma_rpc_calls_total\{method="soma.v1.JobService\/GetJob"/ { all += $NF } END { print all }')"
}

test_jobs_are_seen_by_state_and_queue() {
    local id
    soma queue pause waiting >/dev/null
    id=$(soma submit -q --queue waiting -c 'pass')
    is "$(value 'soma_queue_jobs{queue="waiting",state="queued"}')" 1
    is "$(value 'soma_queue_paused{queue="waiting"}')" 1
    soma cancel "$id" >/dev/null
    until_true value_is 'soma_jobs{state="cancelled"}' 1
    is "$(value 'soma_job_transitions_total{to="cancelled"}')" 1
}

test_a_collection_is_seen_by_its_name() {
    soma collection create seen --dim 2 >/dev/null
    printf '{"id":"a","embedding":[1,2]}\n' | soma upsert seen - >/dev/null
    is "$(value 'soma_collection_records{collection="seen"}')" 1
    is "$(value 'soma_vectors_memory_budget_bytes')" 4294967296
}

# Memory is a cache: what a read found there, what it had to be loaded from, and what was dropped for it.
test_memory_is_seen_as_a_cache() {
    local loads
    soma collection create cached --dim 2 >/dev/null
    printf '{"id":"a","embedding":[1,2]}\n' | soma upsert cached - >/dev/null
    loads=$(value soma_collection_load_seconds_count)
    stop_server TERM
    start_watched
    is "$(value 'soma_collection_reads_total{from="memory"}') $(value soma_collection_load_seconds_count)" "0 0"
    soma query cached --vector '[1,2]' >/dev/null
    is "$(value 'soma_collection_reads_total{from="database"}') $(value 'soma_collection_reads_total{from="memory"}')" "1 0"
    soma query cached --vector '[1,2]' >/dev/null
    is "$(value 'soma_collection_reads_total{from="memory"}')" 1
    is "$(value soma_collection_load_seconds_count) $(value soma_collection_drops_total)" "1 0"
    [ -n "$loads" ] || fail "no histogram"
}

test_a_long_poll_is_no_slow_call_and_has_no_time() {
    local id
    id=$(soma submit -q -c 'import time; time.sleep(0.5)')
    soma wait "$id" >/dev/null
    [ -n "$(value 'soma_rpc_calls_total{method="soma.v1.JobService/WaitJob",code="OK"}')" ] || fail "nothing waited"
    is "$(grep -c CALL-SLOW "$scratch/somad.log")" 0
}

test_each_change_of_a_job_is_one_line_with_job_and_request() {
    local id lines
    id=$(soma submit -q -c 'raise SystemExit(3)')
    soma wait "$id" >/dev/null 2>&1
    lines=$(grep "JOB-STATE job=$id " "$scratch/somad.log")
    is "$(sed -n 's/.* state=\([a-z]*\).*/\1/p' <<<"$lines" | tr '\n' ' ')" "queued running failed "
    [[ $(head -n 1 <<<"$lines") =~ request=[0-9a-f]{32}$ ]] || fail "no request: $lines"
    [[ $(tail -n 1 <<<"$lines") =~ reason=exited\ exit=3\ signal=0\ request=-$ ]] || fail "no end: $lines"
}

test_other_paths_and_methods_are_refused() {
    local path
    for path in / /metrics/../etc/passwd /%6detrics%41 /metricsx; do
        is "$(get "$path" | sed -n 1p)" 404
    done
    is "$(get /metrics POST | sed -n 1p)" 405
    is "$(get /metrics HEAD)" 200
}

test_a_server_that_runs_is_alive_and_ready() {
    is "$(get /healthz)" "200"$'\n'"ok"
    is "$(get /readyz)" "200"$'\n'"ready"
}

# With a job that runs, and one who waits for it in a long poll.
test_a_server_that_stops_is_alive_and_not_ready() {
    local id waiter
    id=$(soma submit -q -c 'import time; time.sleep(600)')
    until_true state_is "$id" running
    soma wait "$id" >/dev/null 2>&1 &
    waiter=$!
    until_true value_is 'soma_rpc_calls_parked' 1
    expect 0 ./watch_stop.py "${address#http://}" "${SOMA_SERVER#ipc://}" "$somad_pid"
    out_is "200 ready"$'\n'"503 stopping"$'\n'"200 ok"
    wait "$somad_pid"
    is $? 0
    somad_pid=
    start_watched
    is "$(get /readyz)" "200"$'\n'"ready"
    is "$(state_of "$id")" running
    kill -0 "$waiter" || fail "who waited did not stay"
    soma cancel "$id" >/dev/null
    wait "$waiter"
    is $? 143
    soma rm "$id" >/dev/null
}

test_a_bad_address_is_a_wrong_configuration() {
    local address
    for address in nowhere 127.0.0.1 127.0.0.1:70000 '127.0.0.1:80/x' ::1:80; do
        expect 2 "$somad_program" --data "$scratch/other" --listen "ipc://$scratch/other.sock" --http "$address"
        grep -q "cannot serve http on" "$scratch/err" || fail "$address: $(cat "$scratch/err")"
    done
}

test_a_slow_call_is_one_line_with_its_method_and_request() {
    stop_server TERM
    SOMA_SLOW_MS=1 start_watched
    # A write that has more to do than a millisecond allows.
    soma collection create slow --dim 256 >/dev/null
    python3 -c 'import json
for i in range(2000): print(json.dumps({"id": str(i), "embedding": [i + 1] * 256}))' | soma upsert slow - >/dev/null
    grep -qE 'warning CALL-SLOW method=soma.v1.VectorService/[A-Za-z]+ ms=[0-9]+ code=OK request=[0-9a-f]{32} job=- client=soma' "$scratch/somad.log" ||
        fail "no line: $(grep CALL-SLOW "$scratch/somad.log")"
    stop_server TERM
    sed -i /CALL-SLOW/d "$scratch/somad.log"
    start_watched
}

run_tests
