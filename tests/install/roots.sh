# Roots to build in and to install into, sourced: this machine's own files, with a layer above that takes what is written.
# shellcheck shell=bash
if [ "$(id -u)" != 0 ]; then
    echo "only root can install packages"
    exit 77
fi
# Mounts of our own, gone with us.
if [ -z "${ROOTS_ALONE:-}" ]; then
    ROOTS_ALONE=1 exec unshare --mount --propagation private "$0" "$@"
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
    echo "$(basename "$0" .sh): $1" >&2
    tail -n 60 "$scratch/log" >&2 2>/dev/null || true
    exit 1
}

# make_root NAME: $scratch/layers/NAME/root.
make_root() {
    local layers=$scratch/layers/$1
    if [ ! -d "$scratch/layers" ]; then
        mkdir "$scratch/layers"
        mount -t tmpfs tmpfs "$scratch/layers"
    fi
    mkdir -p "$layers/upper" "$layers/work" "$layers/root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" "$layers/root" ||
        { echo "this machine has no overlays"; exit 77; }
    mount --rbind /proc "$layers/root/proc"
    mount --rbind /dev "$layers/root/dev"
    mount -t tmpfs tmpfs "$layers/root/run"
    # What this machine may hold of a server of its own is not there.
    rm -rf "$layers/root/var/lib/soma"
}
