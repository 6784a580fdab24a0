#!/usr/bin/env bash
# A data directory on a disk that a job fills: the job ends truthfully, and room can be made again. On a small tmpfs in a mount namespace of
# its own, which root and most users can make.
# harness.sh assigns; $ in single quotes is for the job.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
if [ -z "${SOMA_ON_SMALL_DISK:-}" ]; then
    flags=-m
    [ "$(id -u)" = 0 ] || flags=-rm
    if ! unshare "$flags" mount -t tmpfs none /mnt 2>/dev/null; then
        echo "# no mount namespace here: nothing of a full disk can be tried"
        exit 77
    fi
    SOMA_ON_SMALL_DISK=1 exec unshare "$flags" "$PWD/$(basename "$0")"
fi
. ./harness.sh
mkdir "$scratch/data" && chmod 711 "$scratch/data"
mount -t tmpfs -o size=100M,mode=711 none "$scratch/data" || exit 1
start_server || exit 1
at_exit() { umount -l "$scratch/data"; }

# What is left of the room, to the last block.
fill() { head -c 200000000 /dev/zero 2>/dev/null >"$scratch/data/filler"; }

test_a_job_that_fills_the_disk_ends_truthfully_and_can_be_removed() {
    local id
    id=$(soma submit -q --output-limit 1G --language sh -c 'head -c 300000000 /dev/zero; exit 4')
    # Its runner has a status on the disk although nothing else fits any more; the server's own row may have to wait for room.
    until_true grep -q exit_code "$scratch/data/jobs/$id/1/status"
    grep -q 'stdout could not be kept whole' "$scratch/data/jobs/$id/1/status" || fail "nothing was lost: the disk was not full"
    : >"$scratch/data/jobs/$id/1/stdout"
    until_true state_is "$id" failed
    is "$(soma -o json show "$id" | jq .exit_code)" 4
    soma rm "$id"
}

test_removal_works_where_nothing_else_does() {
    local first second
    first=$(soma submit -q -- true)
    second=$(soma submit -q -- true)
    expect 0 soma wait "$first" "$second"
    # The ballast is there, and takes its blocks.
    is "$(stat -c %s "$scratch/data/soma.ballast")" 4194304
    fill
    # Until SQLite has no page left for it.
    local tries=0
    while soma submit -q --timeout 2s --delay 300d -e "A=$(head -c 30000 /dev/zero | tr '\0' a)" -- true >/dev/null 2>"$scratch/err"; do
        tries=$((tries + 1))
        [ "$tries" -lt 3000 ] || break
    done
    err_has "disk is full"
    expect 0 soma rm "$first"
    expect 0 soma prune
    [ ! -d "$scratch/data/jobs/$second" ] || until_true test ! -d "$scratch/data/jobs/$second"
    is "$(stat -c %s "$scratch/data/soma.ballast")" 0
    rm "$scratch/data/filler"
    # With room again it is taken back.
    expect 0 soma run -- true
    until_true sh -c "test \$(stat -c %s '$scratch/data/soma.ballast') = 4194304"
}

# Records of 30 KB each, so many, from a number on.
records() {
    jq -nc --argjson first "$1" --argjson count "$2" \
        'range($first; $first + $count) | {id: "r\(.)", embedding: [1, 0], document: ("words " * 5000)}'
}

test_removal_of_vectors_works_where_nothing_else_does() {
    local how
    for how in "delete docs r1 r2" "collection clear docs" "collection rm docs"; do
        soma collection create -q docs --dim 2 --exist-ok
        records 0 20 | soma upsert -q docs -
        until_true sh -c "test \$(stat -c %s '$scratch/data/soma.ballast') = 4194304"
        fill
        local first=100
        while records "$first" 5 | soma upsert -q docs - >/dev/null 2>"$scratch/err"; do
            first=$((first + 5))
            [ "$first" -lt 3000 ] || break
        done
        err_has "disk is full"
        is "$(stat -c %s "$scratch/data/soma.ballast")" 4194304
        # shellcheck disable=SC2086
        expect 0 soma $how
        rm "$scratch/data/filler"
        soma collection rm -q docs 2>/dev/null
    done
}

run_tests
