#!/usr/bin/env bash
# somad --backup, --restore and --check: what an operator does with a data directory.
# harness.sh assigns; $ in single quotes is for the job.
# shellcheck disable=SC1091,SC2016,SC2154
cd "$(dirname "$0")" || exit 1
. ./harness.sh
start_server || exit 1

home=$scratch/data
backup=$scratch/backup.tar
# What the tests ask for again after a restore.
ended=$(soma submit -q --artifact '*.txt' --language sh -c 'echo kept; echo said >&2; echo made >a.txt')
soma wait "$ended"
soma collection create docs --dim 3 --metric cosine >/dev/null
for i in $(seq 300); do echo "{\"id\": \"r$i\", \"embedding\": [$i, 1, 2], \"document\": \"text $i\", \"metadata\": {\"n\": $i}}"; done |
    soma upsert docs - >/dev/null
running=$(soma submit -q -- sleep 1000)
head -c 2000000 /dev/zero | tr '\0' x >"$scratch/large"
waiting=$(soma submit -q --delay 1h --file "$scratch/large:large" --language sh -c 'wc -c <large')
until_true state_is "$running" running

# serve DIRECTORY: the server on another directory.
serve() {
    [ -z "$somad_pid" ] || stop_server TERM
    "$somad_program" --data "$1" --listen "$SOMA_SERVER" >>"$scratch/somad.log" 2>&1 &
    somad_pid=$!
    until_true "$soma_program" --timeout 1s ping
}

test_a_backup_of_a_running_server_brings_everything_back() {
    expect 0 "$somad_program" --data "$home" --backup "$backup"
    is "$(stat -c %a "$backup")" 600
    # Neither what ran nor how it was ordered, and no half database.
    is "$(tar tf "$backup" | grep -cE '/work/|/order$|\.part$|soma.db-')" 0
    is "$(find "$home" -name '*.backup')" ""
    soma submit -q -- true >/dev/null
    expect 0 "$somad_program" --data "$scratch/again" --restore "$backup"
    serve "$scratch/again"
    expect 0 soma logs "$ended"
    out_is kept
    err_is said
    expect 0 soma artifacts -C "$scratch" "$ended"
    is "$(cat "$scratch/a.txt")" made
    is "$(soma count docs)" 300
    is "$(soma query docs -q --vector '[7, 1, 2]' -k 1 --where '{"n": {"$gt": 3}}')" r7
    is "$(soma query docs -q --text '"text 12"' -k 1)" r12
    expect 0 soma collection check docs
    # It may have begun, and what it did is not here: never twice unasked.
    until_true state_is "$running" lost
    is "$(state_of "$waiting")" queued
    is "$(soma ps -q --all | wc -l)" 3
    soma cancel "$waiting" >/dev/null
    soma retry "$waiting" >/dev/null
    expect 0 soma wait "$waiting"
    is "$(soma logs "$waiting")" 2000000
    serve "$home"
}

test_a_backup_through_a_pipe_is_the_same() {
    "$somad_program" --data "$home" --backup - | gzip >"$scratch/piped.tar.gz"
    expect 0 sh -c "'$somad_program' --data '$scratch/piped' --restore - <'$scratch/piped.tar.gz'"
    expect 0 "$somad_program" --data "$scratch/piped" --check
    out_is "$scratch/piped is sound"
}

test_nothing_is_written_over() {
    expect 1 "$somad_program" --data "$home" --backup "$backup"
    err_has "File exists"
    expect 1 "$somad_program" --data "$home" --restore "$backup"
    err_has "is there already"
    is "$(soma count docs)" 300
    expect 1 "$somad_program" --data "$scratch/nowhere" --backup "$scratch/other.tar"
    err_has "there is no data directory"
    is "$(ls "$scratch/other.tar" 2>/dev/null)" ""
}

test_an_empty_directory_is_filled_and_stays_what_it_is() {
    mkdir -m 750 "$scratch/mounted" && mkdir "$scratch/mounted/lost+found"
    local inode
    inode=$(stat -c %i "$scratch/mounted")
    expect 0 "$somad_program" --data "$scratch/mounted" --restore "$backup"
    is "$(stat -c '%i %a' "$scratch/mounted")" "$inode 750"
    is "$(find "$scratch/mounted" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | tr '\n' ' ')" "boot jobs lost+found soma.db "
    expect 1 "$somad_program" --data "$scratch/mounted" --restore "$backup"
    err_has "is there already"
}

test_a_restore_that_was_cut_short_is_begun_anew() {
    local half=$scratch/half
    mkdir -p "$half/restoring/jobs" "$half/jobs/$ended"
    echo restored >"$half/boot"
    expect 0 "$somad_program" --data "$half" --restore "$backup"
    expect 0 "$somad_program" --data "$half" --check
    # The same files without its mark are somebody's.
    mkdir -p "$scratch/others/jobs"
    expect 1 "$somad_program" --data "$scratch/others" --restore "$backup"
    err_has "is there already"
}

test_one_backup_is_made_at_a_time() {
    exec 8>"$home/backup.lock"
    flock 8
    expect 1 "$somad_program" --data "$home" --backup "$scratch/second.tar"
    err_has "another backup"
    exec 8>&-
    is "$(ls "$scratch/second.tar" 2>/dev/null)" ""
}

test_a_check_brings_no_older_database_to_a_newer_schema() {
    local older=$scratch/older
    expect 0 "$somad_program" --data "$older" --restore "$backup"
    sqlite3 "$older/soma.db" "PRAGMA user_version = 2"
    expect 1 "$somad_program" --data "$older" --check
    err_has "of an older schema"
    is "$(sqlite3 "$older/soma.db" "PRAGMA user_version")" 2
    is "$(find "$older" -name '*.bak')" ""
}

# refused ARCHIVE TEXT: it is no backup, and leaves nothing.
refused() {
    expect 1 "$somad_program" --data "$scratch/refused" --restore "$1"
    err_has "$2"
    is "$(find "$scratch" -maxdepth 1 -name 'refused*')" ""
}

test_what_cannot_be_read_fails_the_backup() {
    expect 0 "$somad_program" --data "$scratch/deep" --restore "$backup"
    # A path that is too long is closed to root, too.
    python3 - "$scratch/deep/jobs/$ended/1" <<'END'
import os, sys
os.chdir(sys.argv[1])
for _ in range(30):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
END
    expect 1 "$somad_program" --data "$scratch/deep" --backup "$scratch/deep.tar"
    err_has "cannot read $scratch/deep/jobs/$ended/1/ddd"
    is "$(find "$scratch" -maxdepth 1 -name 'deep.tar*')" ""
    "$somad_program" --data "$scratch/deep" --backup - >"$scratch/piped.tar" 2>/dev/null
    is $? 1
    refused "$scratch/piped.tar" "no whole backup"
}

test_a_backup_without_its_end_is_refused() {
    # Cut between two entries.
    python3 - "$backup" <<'END' >"$scratch/endless.tar"
import sys, tarfile
length = tarfile.open(sys.argv[1]).getmember("end").offset
sys.stdout.buffer.write(open(sys.argv[1], "rb").read(length))
END
    refused "$scratch/endless.tar" "its end is missing"
    cp "$backup" "$scratch/longer.tar"
    mkdir -p "$scratch/more/jobs" && echo more >"$scratch/more/jobs/more"
    tar rf "$scratch/longer.tar" -C "$scratch/more" jobs/more
    refused "$scratch/longer.tar" "something follows its end"
}

test_a_backup_of_the_first_version_is_restored() {
    mkdir "$scratch/first"
    tar xf "$backup" -C "$scratch/first" --exclude end
    is "$(sed -n 1,2p "$scratch/first/soma-backup" | tr '\n' ' ')" "version 1 2 "
    sed -i '2s/2/1/' "$scratch/first/soma-backup"
    (cd "$scratch/first" && find jobs -type f | tar cf "$scratch/first.tar" soma-backup soma.db -T -)
    expect 0 "$somad_program" --data "$scratch/restored" --restore "$scratch/first.tar"
    expect 0 "$somad_program" --data "$scratch/restored" --check
}

# As beside a server that starts a job while the backup is being read: the pipe holds it up.
test_an_upload_that_is_moved_meanwhile_is_not_missed() {
    local raced=$scratch/raced
    expect 0 "$somad_program" --data "$raced" --restore "$backup"
    python3 - "$somad_program" "$raced" <<'END' || fail "an upload is not in the backup"
import os, subprocess, sys, tarfile
somad, data = sys.argv[1:]
jobs = data + "/jobs"
uploads = os.listdir(jobs + "/uploads")
# The first that is listed is larger than the pipe, so that what comes behind it has to wait.
number = 0
while not os.listdir(jobs)[0].startswith("0" * 10):
    os.makedirs(f"{jobs}/{number:020}/1")
    with open(f"{jobs}/{number:020}/1/stdout", "wb") as output:
        output.write(b"x" * 1000000)
    number += 1
backup = subprocess.Popen([somad, "--data", data, "--backup", "-"], stdout=subprocess.PIPE, bufsize=0)
found = []
for entry in tarfile.open(fileobj=backup.stdout, mode="r|", bufsize=512):
    if entry.name.startswith("jobs/") and not any(name.startswith("jobs/") for name in found):
        os.makedirs(jobs + "/zzzzzzzzzzzzzzzzzzzz")
        os.rename(jobs + "/uploads", jobs + "/zzzzzzzzzzzzzzzzzzzz/files")
        os.mkdir(jobs + "/uploads")
    found.append(entry.name)
lost = [upload for upload in uploads if not any(name.endswith(upload) for name in found)]
if backup.wait() or lost or not uploads:
    sys.exit(f"of {uploads} not saved: {lost}; saved: {found}")
END
}

test_what_is_no_whole_backup_is_refused_and_leaves_nothing() {
    head -c 100000 "$backup" >"$scratch/cut.tar"
    refused "$scratch/cut.tar" "no whole backup"
    refused /etc/passwd "no whole backup"
    mkdir -p "$scratch/made/jobs"
    tar xf "$backup" -C "$scratch/made" soma-backup soma.db
    tar cf "$scratch/order.tar" -C "$scratch/made" soma.db soma-backup
    refused "$scratch/order.tar" "does not begin like one"
    echo evil >"$scratch/made/evil"
    ln -sf /etc/passwd "$scratch/made/jobs/link"
    tar cf "$scratch/link.tar" -C "$scratch/made" soma-backup soma.db jobs/link
    refused "$scratch/link.tar" "holds what no backup holds"
    tar cPf "$scratch/up.tar" -C "$scratch/made" --transform 's,^evil,jobs/../../evil,' soma-backup soma.db evil
    refused "$scratch/up.tar" "holds what no backup holds"
    tar cf "$scratch/other.tar" -C "$scratch/made" soma-backup soma.db evil
    refused "$scratch/other.tar" "holds what no backup holds"
    tar cf "$scratch/nothing.tar" -C "$scratch/made" soma-backup
    refused "$scratch/nothing.tar" "holds no database"
    sed "s/^$(sqlite3 "$scratch/made/soma.db" "PRAGMA user_version")\$/9/" "$scratch/made/soma-backup" >"$scratch/made/newer" && mv "$scratch/made/newer" "$scratch/made/soma-backup"
    tar cf "$scratch/newer.tar" -C "$scratch/made" soma-backup soma.db
    refused "$scratch/newer.tar" "schema 9, this program knows"
    is "$(ls "$scratch/evil" 2>/dev/null)" ""
}

test_a_check_names_what_is_wrong() {
    expect 1 "$somad_program" --data "$home" --check
    err_has "owns the data directory"
    expect 1 "$somad_program" --data "$scratch/nowhere" --check
    local copy=$scratch/checked
    expect 0 "$somad_program" --data "$copy" --restore "$backup"
    expect 0 "$somad_program" --data "$copy" --check
    rm -r "${copy:?}/jobs/$ended" && mkdir "$copy/jobs/00000000000000000000"
    expect 3 "$somad_program" --data "$copy" --check
    out_has "job $ended: 0 of the 5 bytes of its stdout are there"
    out_has "jobs/00000000000000000000: it is the directory of no job"
    sqlite3 "$copy/soma.db" "UPDATE job_queue SET succeeded = 7; UPDATE collection SET record_count = 1"
    expect 3 "$somad_program" --data "$copy" --check
    out_has "queue default: its counts are not those of its jobs"
    out_has "collection docs: its records are not as many as it says"
    dd if=/dev/zero of="$copy/soma.db" bs=4096 seek=5 count=4 conv=notrunc 2>/dev/null
    expect 3 "$somad_program" --data "$copy" --check
    out_has "database: "
}

test_a_server_that_cannot_open_its_database_names_the_file() {
    mkdir "$scratch/junk"
    head -c 8192 /dev/zero | tr '\0' j >"$scratch/junk/soma.db"
    expect 1 "$somad_program" --data "$scratch/junk" --listen "ipc://$scratch/junk.sock"
    err_has "database $scratch/junk/soma.db: "
}

test_a_running_server_says_whether_its_data_is_sound() {
    expect 0 soma check
    out_is "the server's data is sound"
    is "$(soma -o json check | jq -c .)" '{"findings":[],"found":0,"sound":true}'
    mv "$home/jobs/$ended" "$scratch/aside"
    mkdir "$home/jobs/00000000000000000000" # as one whose job was removed just now
    # Behind the server's back.
    sqlite3 "$home/soma.db" "DELETE FROM embedding WHERE num IN (SELECT max(num) FROM embedding)"
    expect 1 soma check
    out_has "job $ended: 0 of the 5 bytes of its stdout are there"
    out_has "collection docs: records whose embedding is missing or has another length: 1 (the first: r300)"
    is "$(soma check | grep -c 00000000000000000000)" 0
    is "$(soma -o json check | jq -r '.findings[0].what')" "job $ended"
    expect 1 soma check --quiet
}

run_tests
