#!/bin/sh
# The manual pages of the command line, made by the program itself: command_pages.sh SOMA FOLDER
set -e
rm -rf "$2" && mkdir "$2"
for page in $("$1" help man pages); do
    "$1" help man "$page" | gzip -9n >"$2/soma-$page.1.gz"
done
"$1" help man | gzip -9n >"$2/soma.1.gz"
