#!/usr/bin/env bash
# Makes the Debian packages, has lintian look at them, installs them over a copy of this machine's own root, starts the
# service's command as the service's user, runs a job, restarts the server under a second one, removes the packages.
#
#   packages.sh BUILD
set -euo pipefail
build=$1
if [ "$(id -u)" != 0 ]; then
    echo "only root can install packages"
    exit 77
fi
# Mounts of our own, gone with us.
if [ -z "${PACKAGES_ALONE:-}" ]; then
    PACKAGES_ALONE=1 exec unshare --mount --propagation private "$0" "$@"
fi
scratch=$(mktemp -d)
server=
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    umount -R "$scratch/layers" 2>/dev/null || true
    rm -rf "$scratch"
}
trap clean_up EXIT
fail() {
    echo "packages: $1" >&2
    cat "$scratch/log" >&2 2>/dev/null || true
    exit 1
}

cpack --config "$build/CPackConfig.cmake" -B "$scratch/made" >"$scratch/cpack.log" 2>&1 || { cat "$scratch/cpack.log"; exit 1; }
names=$(cd "$scratch/made" && for file in *.deb; do dpkg-deb -f "$file" Package; done | sort | tr '\n' ' ')
[ "$names" = "libsoma-dev libsoma1 python3-soma soma-client soma-server " ] || fail "the packages are $names"
lintian --no-cfg --allow-root --fail-on error --tag-display-limit 0 "$scratch"/made/*.deb || fail "lintian finds errors"

# This machine, with a layer above it that takes what is written.
layers=$scratch/layers root=$scratch/layers/root
mkdir -p "$layers"
mount -t tmpfs tmpfs "$layers"
mkdir "$layers/upper" "$layers/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" "$root" ||
    { echo "this machine has no overlays"; exit 77; }
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mkdir "$root/packages"
cp "$scratch"/made/*.deb "$root/packages"
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }

# What this machine may hold of a server of its own is not there.
inside rm -rf /var/lib/soma
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

# The same packages once more, as an image of a container has them.
here=$(cd "$(dirname "$0")" && pwd)
"$here/container.sh" "$here/../../Dockerfile" "$scratch/made" "$root"
