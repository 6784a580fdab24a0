#!/usr/bin/env bash
# Makes the Debian packages, has lintian look at them, installs them over a copy of this machine's own root, starts the
# service's command as the service's user, runs a job, restarts the server under a second one, removes the packages.
#
#   packages.sh BUILD
# shellcheck disable=SC1091,SC2154
set -euo pipefail
. "$(dirname "$0")/roots.sh"
build=$1

cpack --config "$build/CPackConfig.cmake" -B "$scratch/made" >"$scratch/cpack.log" 2>&1 || { cat "$scratch/cpack.log"; exit 1; }
names=$(cd "$scratch/made" && for file in *.deb; do dpkg-deb -f "$file" Package; done | sort | tr '\n' ' ')
[ "$names" = "libsoma-dev libsoma1 python3-soma soma-client soma-server " ] || fail "the packages are $names"
lintian --no-cfg --allow-root --fail-on error --tag-display-limit 0 "$scratch"/made/*.deb || fail "lintian finds errors"

make_root packages
root=$scratch/layers/packages/root
mkdir "$root/packages"
cp "$scratch"/made/*.deb "$root/packages"
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

inside sh -c 'dpkg -i --force-depends /packages/*.deb' >"$scratch/log" 2>&1 || fail "dpkg -i fails"
inside getent passwd soma >/dev/null || fail "there is no user soma"
command=$(sed -n 's/^ExecStart=//p' "$root/usr/lib/systemd/system/somad.service")
inside install -d -o soma -g soma -m 711 /var/lib/soma
inside install -d -o soma -g soma -m 750 /run/soma

start_server() {
    chroot --userspec soma:soma "$root" env -i PATH=/usr/bin:/bin sh -c "exec $command" >>"$scratch/log" 2>&1 &
    server=$!
    for _ in $(seq 200); do
        inside soma --timeout 1s ping >/dev/null 2>&1 && return
        sleep 0.05
    done
    fail "the service's command does not answer"
}
start_server
out=$(inside soma run -c 'print(6 * 7)' 2>"$scratch/log") || fail "a job fails"
[ "$out" = 42 ] || fail "the job prints '$out'"
id=$(inside soma submit -q -c 'import time; time.sleep(2); print("still here")')
kill -TERM "$server"
wait "$server" || fail "the server's end is no good one"
start_server
inside soma wait "$id" || fail "the job did not live through the restart"
[ "$(inside soma logs "$id")" = "still here" ] || fail "its output is lost"
inside pkg-config --modversion soma >/dev/null || fail "libsoma-dev is not found"
out=$(inside /usr/bin/python3 -c 'import soma; print(soma.connect().run("print(6 * 7)"), end="")') || fail "python3-soma does not run a job"
[ "$out" = 42 ] || fail "python3-soma's job prints '$out'"

kill -TERM "$server"
wait "$server"
server=
inside dpkg --purge python3-soma soma-server soma-client libsoma-dev libsoma1 >"$scratch/log" 2>&1 || fail "dpkg --purge fails"
for left in usr/bin/somad usr/bin/soma usr/include/soma var/lib/soma usr/libexec/soma; do
    [ ! -e "$root/$left" ] || fail "/$left is left behind"
done
echo "installed, used and removed: $names"
