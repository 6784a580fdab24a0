#!/usr/bin/env bash
# Does what the Dockerfile says, line by line, each stage in a root of its own, and uses what comes of it.
#
#   container.sh BUILD
#
# A root is this machine's, so what it has already is not downloaded: packages, nng's source, and what ccache knows.
# shellcheck disable=SC1091,SC2154
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/roots.sh"
build=$1 source=$(dirname "$(dirname "$here")")

root='' stage='' user=root folder=/ entry=() variables=()
inside() {
    chroot "$root" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${variables[@]}" "$@"
}

# from IMAGE [AS NAME]
from() {
    stage=${3:-last} user=root folder=/ entry=() variables=()
    make_root "$stage"
    root=$scratch/layers/$stage/root
}

# The context goes where there is room for a build, without what .dockerignore names.
copy_context() {
    mkdir "$scratch/context" "$root$1"
    mount --bind "$scratch/context" "$root$1"
    tar -C "$source" --anchored --exclude-from=<(sed 's|^|./|' "$source/.dockerignore") -c . | tar -C "$root$1" -x
    mkdir -p "$root$1/.cache/nng"
    cp -r "$source/.cache/nng/package" "$root$1/.cache/nng" 2>/dev/null || true
}

# copy_from STAGE PATTERN… FOLDER
copy_from() {
    local from=$scratch/layers/$1/root to=$root${!#} pattern
    mkdir -p "$to"
    for pattern in "${@:2:$#-2}"; do
        # shellcheck disable=SC2086
        cp "$from"$pattern "$to" || fail "COPY $pattern: there is none"
    done
}

copy() {
    case $1 in
    --from=*) copy_from "${1#--from=}" "${@:2}" ;;
    .) copy_context "$2" ;;
    *) fail "COPY of something else: $*" ;;
    esac
}

run() {
    local quick=()
    if command -v ccache >/dev/null; then
        mkdir -p "$build/ccache" "$root/ccache"
        mountpoint -q "$root/ccache" || mount --bind "$build/ccache" "$root/ccache"
        quick=(CMAKE_C_COMPILER_LAUNCHER=ccache CCACHE_DIR=/ccache)
    fi
    inside env DEBIAN_FRONTEND=noninteractive CMAKE_BUILD_PARALLEL_LEVEL="$(nproc)" "${quick[@]}" sh -ec "cd $folder; $1" \
        >"$scratch/log" 2>&1 || fail "RUN $1"
}

while read -r word rest; do
    read -ra words <<<"$rest"
    case $word in
    VOLUME | '#'* | '') ;;
    FROM) from "${words[@]}" ;;
    WORKDIR) folder=$rest ;;
    COPY) copy "${words[@]}" ;;
    RUN) run "$rest" ;;
    ENV) variables+=("${words[@]}") ;;
    USER) user=$rest ;;
    ENTRYPOINT) mapfile -t entry < <(jq -r '.[]' <<<"$rest") ;;
    *) fail "the test knows no $word" ;;
    esac
done <"$source/Dockerfile"
[ "$stage" = last ] || fail "the last stage has a name: $stage"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start() {
    chroot --userspec "$user:$user" "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "${variables[@]}" PORT="$port" "${entry[@]}" "$@" >>"$scratch/log" 2>&1 &
    server=$!
    for _ in $(seq 400); do
        [ "$(python3 -c "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:$port/readyz').read().decode())" 2>/dev/null)" != ready ] || return 0
        sleep 0.05
    done
    fail "it is not ready on \$PORT"
}
stop() {
    kill -TERM "$server"
    wait "$server" || fail "the server's end is no good one"
    server=
}
start
id=$(inside soma submit -q -c 'print(6 * 7)')
inside soma wait "$id" || fail "a job fails"
stop
start --max-running 3
[ "$(inside soma logs "$id")" = 42 ] || fail "the output is lost"
grep -q 'max-running' <(tr '\0' ' ' <"/proc/$server/cmdline") || fail "the flag does not arrive"
stop
echo "container: built, ready on \$PORT, used, stopped and started again"
