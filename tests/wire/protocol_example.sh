#!/usr/bin/env bash
# The example bytes of docs/PROTOCOL.md are the first of the golden frames: protocol_example.sh DOCUMENT FRAMES
set -eu
document=$1
frames=$2

bytes=$(sed -n '2,/^header/{/^[0-9a-f]*$/p}' "$frames" | tr -d '\n')
if [ -z "$bytes" ] || ! tr -d ' ' <"$document" | grep -qx "$bytes"; then
    echo "$document does not show the bytes of its example: $bytes" >&2
    exit 1
fi
