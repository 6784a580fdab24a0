#!/bin/bash
# In the machine: jobs and records, each acknowledgement a line on the serial line ("ACK …"); then a job that ends while no server runs.
export SOMA_SERVER=ipc:///run/soma/somad.sock
systemctl start somad
until soma ping >/dev/null 2>&1; do sleep 1; done
soma collection create c --dim 8
sync

submit_and_wait() {
    local number=0 name id
    while true; do
        number=$((number + 1))
        name=w$1-$number
        id=$(soma submit --name "$name" -- sh -c "echo line of $name") && echo "ACK job $id $name"
        soma wait "$id" >/dev/null && echo "ACK end $id $name"
    done
}

upsert() {
    local batch=0 row
    while true; do
        batch=$((batch + 1))
        for row in $(seq 20); do
            echo "{\"id\": \"$batch-$row\", \"embedding\": [$RANDOM, $RANDOM, $RANDOM, $RANDOM, 1, 2, 3, 4]}"
        done | soma upsert c - >/dev/null && echo "ACK batch $batch"
    done
}

submit_and_wait 1 &
submit_and_wait 2 &
upsert &
sleep 120
id=$(soma submit -- sh -c 'sleep 20; echo late')
sleep 3
systemctl stop somad
while pgrep -f "soma-runner $id" >/dev/null; do sleep 0.5; done
echo "ACK late $id"
echo READY-FOR-THE-CUT
sleep 1000
