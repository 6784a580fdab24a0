#!/bin/bash
# In the machine, after the cut: what is there, as lines "HAVE …", and what the checks say.
export SOMA_SERVER=ipc:///run/soma/somad.sock
somad --check --data /var/lib/soma >/tmp/check
echo "STATUS check-before $?"
systemctl start somad
until soma ping >/dev/null 2>&1; do sleep 1; done
while [ -n "$(soma ps -q --state queued,running)" ]; do sleep 1; done
soma ps -q --all | while read -r id; do
    echo "HAVE job $id $(soma -o json show "$id" | python3 -c 'import json, sys
job = json.load(sys.stdin)
print(job["name"], job["state"], job["attempt"])') $(soma logs "$id" | tr ' \n' '__')"
done
soma -o jsonl scan c | python3 -c 'import collections, json, sys
rows = collections.Counter(json.loads(line)["id"].split("-")[0] for line in sys.stdin)
for batch, count in rows.items():
    print("HAVE batch", batch, count)'
soma check >/tmp/check
echo "STATUS check-online $?"
soma collection check c >/tmp/check
echo "STATUS check-collection $?"
echo LOOKED
