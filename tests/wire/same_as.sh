#!/usr/bin/env bash
# Holds what a program prints to a committed file: same_as.sh PROGRAM FILE [--write]
set -eu
program=$1
file=$2

printed=$("$program")
if [ "${3:-}" = --write ]; then printf '%s\n' "$printed" >"$file"; fi
if ! diff "$file" <(printf '%s\n' "$printed"); then
    echo "what travels has changed ('<' committed, '>' now); if that is meant: $0 $program $file --write" >&2
    exit 1
fi
