#!/usr/bin/env bash
# What a service manager hears: ready, alive again and again, reloading, stopping.
# shellcheck disable=SC1091,SC2034,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh

# Prints each notice that somad sends, and sends it a HUP after the first sign of life and a TERM after the third.
listen_to_somad() {
    python3 - "$1" "$somad_program" --data "$scratch/data" --listen "$SOMA_SERVER" <<'PYTHON'
import os, signal, socket, subprocess, sys
path, command = sys.argv[1], sys.argv[2:]
notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notices.bind(path)
notices.settimeout(20)
server = subprocess.Popen(command, env=dict(os.environ, NOTIFY_SOCKET=path, WATCHDOG_USEC="300000"))
alive = 0
while True:
    lines = notices.recv(4096).decode().split("\n")
    print(lines[0], flush=True)
    if "WATCHDOG=1" in lines:
        alive += 1
        if alive == 1:
            server.send_signal(signal.SIGHUP)
        if alive == 3:
            server.terminate()
    if "STOPPING=1" in lines:
        break
sys.exit(server.wait(20))
PYTHON
}

test_a_service_manager_hears_ready_alive_reloading_and_stopping() {
    expect 0 listen_to_somad "$scratch/notify"
    is "$(sort -u "$scratch/out" | tr '\n' ' ')" "READY=1 RELOADING=1 STOPPING=1 WATCHDOG=1 "
    is "$(grep -v WATCHDOG "$scratch/out" | tr '\n' ' ')" "READY=1 RELOADING=1 READY=1 STOPPING=1 "
    is "$(head -n 1 "$scratch/out")" "READY=1"
    is "$(tail -n 1 "$scratch/out")" "STOPPING=1"
}

test_a_client_finds_the_server_of_its_user() {
    mkdir -p "$scratch/runtime/soma"
    "$somad_program" --data "$scratch/own" --listen "ipc://$scratch/runtime/soma/somad.sock" 2>>"$scratch/somad.log" &
    somad_pid=$!
    [ "$(id -u)" != 0 ] || set -- setpriv --reuid 65534 --regid 65534 --clear-groups
    [ "$(id -u)" != 0 ] || chmod 711 "$scratch/runtime" "$scratch/runtime/soma"
    until_true test -S "$scratch/runtime/soma/somad.sock"
    [ "$(id -u)" != 0 ] || chmod 666 "$scratch/runtime/soma/somad.sock"
    # That user need not be able to read where the programs stand.
    install -m 755 "$soma_program" "$scratch/soma"
    expect 0 "$@" env -u SOMA_SERVER XDG_RUNTIME_DIR="$scratch/runtime" "$scratch/soma" ping
    stop_server TERM
}

run_tests
