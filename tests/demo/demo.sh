#!/usr/bin/env bash
# The tour: what SOMA is for, shown by the real programs on a scratch directory.
#
#   SOMA_BUILD=build/dev tests/demo/demo.sh
#
# Prints what it shows, checks what it says, and exits non-zero at the first thing that is not as promised.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${SOMA_BUILD:?set it to the build directory, or use ./dev demo}
here=tests/demo
scratch=$(mktemp -d "${TMPDIR:-/tmp}/soma-demo.XXXXXX")
# A server of root runs jobs as another user, who has to get to their directories.
chmod 711 "$scratch"
mark="soma-demo-${scratch##*.}"
printf '%s\n' "$mark" >"$scratch/mark"
somad_pid=

somad=$(realpath "$build/bin/somad")
soma_program=$(realpath "$build/bin/soma")
export SOMA_SERVER="ipc://$scratch/somad.sock"
unset SOMA_TOKEN

soma() { "$soma_program" "$@"; }

# --- how the tour speaks

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' green='' red='' plain=''
fi

step() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }
show() { printf '%s$ %s%s\n' "$bold" "$1" "$plain"; }
ok() { printf '%sok%s  %s\n' "$green" "$plain" "$1"; }

broken() {
    printf '%snot as promised:%s %s\n' "$red" "$plain" "$1" >&2
    [ -s "$scratch/somad.log" ] && { echo "the server's last words:"; tail -n 15 "$scratch/somad.log"; } >&2
    exit 1
}

# until_true WHAT COMMAND…: as soon as the command succeeds; broken after 20 s.
until_true() {
    local what=$1 tries=0
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 400 ] || broken "waited in vain: $what"
        sleep 0.05
    done
}

# field ID KEY: one value of 'soma -o json show'.
field() {
    soma -o json show "$1" | python3 -c '
import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1].split("."):
    value = (value or {}).get(key)
print("" if value is None else value)' "$2"
}

percent_is_at_least() { python3 -c 'import sys; sys.exit(float(sys.argv[1] or 0) < float(sys.argv[2]))' "$(field "$1" progress.percent)" "$2"; }

# processes_with_mark: files of /proc. The mark comes from a file, so that grep does not find itself.
processes_with_mark() { grep -lsaFf "$scratch/mark" /proc/[0-9]*/cmdline || true; }

# --- the server

start_server() {
    "$somad" --data "$scratch/data" --listen "$SOMA_SERVER" >>"$scratch/somad.log" 2>&1 &
    somad_pid=$!
    until_true "the server answers" soma --timeout 1s ping
}

stop_server() {
    kill "-$1" "$somad_pid"
    wait "$somad_pid" 2>/dev/null && true
    local status=$?
    somad_pid=
    return "$status"
}

clean_up() {
    local status=$?
    trap - EXIT
    if [ -n "$somad_pid" ]; then
        soma ps -q --all --state queued,running 2>/dev/null | xargs -r "$soma_program" cancel --force >/dev/null 2>&1 || true
        kill -TERM "$somad_pid" 2>/dev/null || true
        wait "$somad_pid" 2>/dev/null || true
    fi
    rm -rf "$scratch"
    [ "$status" -eq 0 ] || echo "demo: failed" >&2
    exit "$status"
}
trap clean_up EXIT

documents=(docs/*.md docs/adr/*.md)
# A busy machine needs more time to look at the job while it runs.
seconds=${SOMA_DEMO_SECONDS:-6}
cat "${documents[@]}" >"$scratch/text"
python3 $here/concordance.py 0 <"$scratch/text" >"$scratch/expected"
expected_sum=$(sha256sum <"$scratch/expected")

# ---------------------------------------------------------------------------------------------------------------------
step "A server on a scratch directory"
show "somad --data … --listen $SOMA_SERVER"
start_server
soma ping

# ---------------------------------------------------------------------------------------------------------------------
step "A Python program works through this repository's documents; we watch it, and our client dies"
show "soma run concordance.py -- $seconds < documents"
# script(1) gives the client a terminal of its own, so that there is a bar even where this has none.
bar_out=/dev/null
[ -t 1 ] && bar_out=/dev/stdout
# shellcheck disable=SC2016
client_command='echo $$ >"$SCRATCH/client"; exec "$SOMA" run -l demo=tour --stdin "$SCRATCH/text" tests/demo/concordance.py -- "$SECONDS_OF_READING" >"$SCRATCH/received"'
SCRATCH=$scratch SOMA=$soma_program SECONDS_OF_READING=$seconds TERM=xterm-256color LC_ALL=C.UTF-8 \
    script -qefc "$client_command" "$scratch/screen" </dev/null >"$bar_out" 2>&1 &
client_shell=$!
until_true "the job is there" sh -c "test -n \"\$('$soma_program' ps -q -l demo=tour)\""
job=$(soma ps -q -l demo=tour)
until_true "the job is half way" percent_is_at_least "$job" 45
kill -KILL "$(cat "$scratch/client")"
wait "$client_shell" 2>/dev/null || true
printf '\n'
grep -qa '[1-9][0-9]%' "$scratch/screen" || broken "no progress bar was drawn"
[ -t 1 ] || tr '\r' '\n' <"$scratch/screen" | grep -a '%' | tail -n 1 | sed 's/\x1b\[[0-9;]*[A-Za-z]//g'
received=$(stat -c %s "$scratch/received")
[ "$received" -lt "$(stat -c %s "$scratch/expected")" ] || broken "the job was over before the client was killed"
ok "the client was killed with kill -9 after $received bytes of output; the job is $(field "$job" state)"

show "soma logs -f --stdout --offset $received $job"
soma logs -f --stdout --offset "$received" "$job" >>"$scratch/received"
[ "$(sha256sum <"$scratch/received")" = "$expected_sum" ] || broken "the output differs from the program's own"
tail -n 3 "$scratch/received"
soma wait "$job" || broken "the job failed"
ok "both parts together are the program's output, byte for byte: $(stat -c %s "$scratch/received") bytes"

# ---------------------------------------------------------------------------------------------------------------------
step "A second program, whose grandchildren ignore SIGTERM, is cancelled"
show "soma submit -q --grace 1s stubborn.py; soma cancel --wait …"
stubborn=$(soma submit -q --grace 1s $here/stubborn.py -- "$mark")
until_true "the stubborn program runs" sh -c "'$soma_program' logs $stubborn | grep -q stay"
sleep_count=$(processes_with_mark | wc -l)
[ "$sleep_count" -ge 4 ] || broken "expected 4 processes of the stubborn program, found $sleep_count"
soma cancel --wait "$stubborn"
[ "$(field "$stubborn" state)" = cancelled ] || broken "the job is $(field "$stubborn" state), not cancelled"
[ -z "$(processes_with_mark)" ] || broken "processes survived: $(processes_with_mark | tr '\n' ' ')"
ok "none of its $sleep_count processes is left"

# ---------------------------------------------------------------------------------------------------------------------
step "The server is restarted, and everything is there"
show "kill -TERM somad; somad --data … --listen …"
stop_server TERM || broken "the server did not exit with 0"
start_server
soma ps
[ "$(soma ps -q --all | wc -l)" = 2 ] || broken "jobs are missing"
[ "$(field "$job" state)" = succeeded ] || broken "the first job is $(field "$job" state)"
[ "$(soma logs --stdout "$job" | sha256sum)" = "$expected_sum" ] || broken "output is missing"
ok "jobs, their ends and their output are as before"

# ---------------------------------------------------------------------------------------------------------------------
step "The server is killed with kill -9 while a job runs"
second=$(soma submit -q --stdin "$scratch/text" $here/concordance.py -- 4)
until_true "the job is under way" percent_is_at_least "$second" 25
show "kill -KILL somad; somad --data … --listen …"
stop_server KILL || true
start_server
state=$(field "$second" state)
show "soma wait $second"
soma wait "$second" || broken "the job ended with $?"
[ "$(soma logs --stdout "$second" | sha256sum)" = "$expected_sum" ] || broken "output was lost"
[ "$(field "$second" attempt)" = 1 ] || broken "the program was started twice"
ok "after the restart the job was $state; it ended well, was started once, and its output is complete"

# ---------------------------------------------------------------------------------------------------------------------
step "The documents' paragraphs become a collection"
python3 $here/records.py "${documents[@]}" >"$scratch/records.jsonl"
total=$(wc -l <"$scratch/records.jsonl")
show "soma collection create docs --dim 64 --metric cosine"
soma collection create docs --dim 64 --metric cosine
count() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
show "soma -o jsonl upsert docs records.jsonl"
soma -o jsonl upsert docs "$scratch/records.jsonl" | tee "$scratch/first"
[ "$(count inserted <"$scratch/first")" = "$total" ] || broken "not all $total records were inserted"
show "soma -o jsonl upsert docs records.jsonl"
soma -o jsonl upsert docs "$scratch/records.jsonl" | tee "$scratch/again"
[ "$(count unchanged <"$scratch/again")" = "$total" ] || broken "not all $total records were recognised as unchanged"
[ "$(soma count docs)" = "$total" ] || broken "the count is not $total"
ok "$total records; the second time all were unchanged"

question="a lost reply: the client asks again with the same request id, and the server acts once"
show "soma query docs --vector '…$question…' -k 3 --where '{\"file\": \"PROTOCOL.md\"}'"
soma query docs --vector "$(python3 $here/records.py --vector "$question")" -k 3 --where '{"file": "PROTOCOL.md"}'
first=$(sed -n 1p "$scratch/records.jsonl" | count id)
nearest=$(sed -n 1p "$scratch/records.jsonl" | count embedding)
[ "$(soma -q query docs --vector "$nearest" -k 1)" = "$first" ] || broken "a record is not the nearest to itself"
ok "and a record is the nearest to itself"

printf '\n%sThat was the tour. All was as promised, in %d seconds.%s\n' "$bold" "$SECONDS" "$plain"
