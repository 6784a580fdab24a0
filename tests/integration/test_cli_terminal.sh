#!/usr/bin/env bash
# The command line in a real terminal (tmux): the bar, Ctrl-C, colours.
# harness.sh assigns; $ in single quotes is for the job.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
command -v tmux >/dev/null || { echo "tmux is missing" >&2; exit 1; }
start_server || exit 1
turn=0
terminals=0

terminal() { tmux -S "$scratch/tmux$terminals.sock" "$@"; }

# open_terminal: a shell of 80 by 24, whose prompt is "ready>".
open_terminal() {
    # A socket of its own: the server of the terminal before may still be on its way out.
    terminals=$((terminals + 1))
    terminal -f /dev/null new-session -d -x 80 -y 24 \
        "env -u NO_COLOR PATH='$(dirname "$soma_program"):$PATH' LC_ALL=C.UTF-8 PS1='ready>' bash --norc --noprofile"
    until_true screen_has 'ready>'
}

close_terminal() { terminal kill-server 2>/dev/null; }
screen() { terminal capture-pane -p "$@"; }
screen_has() { screen | grep -qF -- "$1"; }
# Each line ends with its exit status, under a number of its own: what the line before left on the screen is not taken for it.
type_line() {
    turn=$((turn + 1))
    terminal send-keys -l "clear; $1; echo \"status$turn:\$?\"" && terminal send-keys Enter
}
ended_with() { until_true screen_has "status$turn:$1"; }
press() { terminal send-keys "$1"; }

test_the_bar_shows_progress_and_leaves_output_lines_whole() {
    open_terminal
    cat >"$scratch/lines.py" <<'PYTHON'
import os, time
for number in range(1, 9):
    print(f"line {number} begins", end="", flush=True)
    with open(os.environ["SOMA_PROGRESS"], "w") as progress:
        progress.write(f"{number * 10} step {number}\n")
    time.sleep(0.3)
    print(" and ends", flush=True)
PYTHON
    type_line "soma run $scratch/lines.py"
    until_true screen_has '%  0:0'
    ended_with 0
    is "$(screen | grep -c '^line [1-8] begins and ends$')" 8
    screen_has 'step' && fail "the bar is still there"
    close_terminal
}

test_watch_is_a_table_that_stays_up_to_date() {
    local id
    open_terminal
    id=$(soma submit -q --name watched -- sleep 100)
    type_line "soma watch --state queued,running"
    until_true screen_has "$id"
    until_true screen_has 'running'
    until_true screen_has '1 running, 0 queued'
    soma submit -q --name later --delay 1h -- true >/dev/null
    until_true screen_has later
    soma cancel --force --wait -q "$id" >/dev/null
    until_true screen_has '0 running, 1 queued'
    screen_has watched && fail "a job that is over is still there"
    press C-c
    until_true screen_has 'ready>'
    close_terminal
}

# The columns of the terminal that the longest line takes.
columns() { screen | LC_ALL=C.UTF-8 wc -L; }
columns_are() { [ "$(columns)" = "$1" ]; }

test_top_shows_queues_jobs_and_collections_and_gives_the_screen_back() {
    local id
    open_terminal
    soma collection create seen --dim 2 >/dev/null
    soma queue pause later >/dev/null
    id=$(soma submit -q --name busy --language sh -c 'echo "40 halfway, nearly" >"$SOMA_PROGRESS"; sleep 100')
    type_line "echo before; soma top --interval 200ms"
    until_true screen_has "$id  busy"
    until_true screen_has ' 40%  0:0'
    screen | grep -qE '^default +0 +1 ' || fail "no queue: $(screen)"
    screen | grep -qE '^later .* paused ' || fail "no paused queue: $(screen)"
    screen | grep -qE '^seen +0 +2 ' || fail "no collection: $(screen)"
    screen_has 'jobs: 1 running, 0 queued' || fail "no figures: $(screen)"
    is "$(columns)" 80
    terminal resize-window -x 120 -y 30
    until_true columns_are 120
    until_true screen_has 'halfway, nearly'
    # Too narrow for every column: rows are cut off, none goes on in the next line.
    terminal resize-window -x 40 -y 20
    until_true columns_are 40
    until_true screen_has 'COLLECTION'
    is "$(screen | grep -vE "^(soma|jobs:|calls:|QUEUE|default|later|JOB|$id|COLLECTION|seen|and|\$)")" ""
    soma cancel -q --force --wait "$id" >/dev/null
    until_true screen_has 'jobs: 0 running'
    press q
    ended_with 0
    screen_has COLLECTION && fail "the screen is not given back"
    screen_has before || fail "what stood there is gone"
    close_terminal
}

test_top_survives_a_restart_and_leaves_by_ctrl_c() {
    open_terminal
    type_line "soma top --interval 200ms --timeout 1s"
    until_true screen_has 'q quits'
    stop_server TERM
    until_true screen_has 'the server does not answer'
    start_server
    until_true eval '! screen_has "the server does not answer"'
    press C-c
    ended_with 0
    type_line "stty -a | tr ' ' '\n' | grep -x -- 'echo'"
    ended_with 0
    expect 2 soma top
    grep -q 'top needs a terminal' "$scratch/err" || fail "$(cat "$scratch/err")"
    close_terminal
}

test_a_spinner_and_a_clock_show_while_nothing_is_reported() {
    open_terminal
    type_line "soma run -- sleep 2"
    until_true screen_has 'running 0:01'
    ended_with 0
    close_terminal
}

test_the_first_ctrl_c_cancels_and_the_second_kills() {
    open_terminal
    type_line "soma run --grace 60s --language sh -c 'trap \"echo kindly\" TERM; while :; do sleep 0.1; done'"
    until_true screen_has 'running'
    press C-c
    until_true screen_has '--on-interrupt=detach'
    until_true screen_has 'kindly'
    screen_has "status$turn:" && fail "it did not wait for the job"
    press C-c
    ended_with 143
    is "$(state_of "$(soma ps -q -n 1)")" cancelled
    close_terminal
}

test_ctrl_c_detaches_where_asked_for() {
    open_terminal
    type_line "soma run --on-interrupt=detach -- sleep 50"
    until_true screen_has 'running'
    press C-c
    ended_with 130
    screen_has 'soma logs -f' || fail "it does not say how to attach again"
    local id
    id=$(soma ps -q -n 1)
    is "$(state_of "$id")" running
    soma cancel -q --force --wait "$id" >"$scratch/out"
    close_terminal
}

test_a_restart_of_the_server_is_said_and_survived() {
    open_terminal
    # Words that stand in the output alone, not in the line that is typed.
    type_line "soma run --language sh -c 'echo before-\$((6 * 7)); sleep 3; echo after-\$((6 * 8))'"
    until_true screen_has 'before-42'
    stop_server TERM
    until_true screen_has 'does not answer'
    start_server
    until_true screen_has 'the server is back'
    until_true screen_has 'after-48'
    ended_with 0
    close_terminal
}

test_colours_stand_on_terminals_only_and_obey_no_color() {
    open_terminal
    type_line "soma ps -n 3"
    ended_with 0
    screen -e | grep -q $'\033\[3' || fail "no colours on a terminal"
    type_line "NO_COLOR=1 soma ps -n 3"
    ended_with 0
    screen -e | grep -q $'\033\[3[0-9]' && fail "colours in spite of NO_COLOR"
    close_terminal
    soma ps -n 3 | grep -q $'\033' && fail "colours in a pipe"
    soma ps -n 3 --color always | grep -q $'\033' || fail "no colours with --color always"
}

test_no_bar_on_a_dumb_terminal_or_with_quiet() {
    local id
    open_terminal
    type_line "TERM=dumb soma run -- sleep 1"
    ended_with 0
    screen | grep -q 'running' && fail "a bar on a dumb terminal"
    type_line "soma run -q --language sh -c 'sleep 0.5; echo done'"
    ended_with 0
    id=$(screen | grep -c soma: || true)
    is "$id" 0
    close_terminal
}

at_exit() { close_terminal; }
run_tests
