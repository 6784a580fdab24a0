#!/usr/bin/env bash
# What is left when a machine loses its power: a virtual machine of this Debian's own packages, with the service as systemd runs it, is
# killed under load. What only its kernel had is gone then; what was synced is on its disk. It is started again, and everything that it
# had acknowledged over its serial line is looked for.
#
#     run.sh PACKAGES SCRATCH [ROUNDS]     as root, on amd64; about 5 minutes a round, as the processor is emulated
#
# PACKAGES holds the .deb files, SCRATCH is a folder for 4 GB that a next run uses again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
packages=$(cd "$1" && pwd)
mkdir -p "$2"
scratch=$(cd "$2" && pwd)
rounds=${3:-1}
root=$scratch/root

LOAD_MAX_S=1200
CHECK_MAX_S=900

make_root() {
    local codename
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    if [ ! -d "$root/boot" ]; then
        rm -rf "$root"
        debootstrap --variant=minbase --include=systemd,systemd-sysv,udev,kmod,procps,python3,bubblewrap "$codename" "$root.new"
        chroot "$root.new" apt-get install -y -qq --no-install-recommends linux-image-cloud-amd64 initramfs-tools
        mv "$root.new" "$root"
    fi
    cp "$packages"/*.deb "$root/root/"
    chroot "$root" sh -c 'apt-get install -y -qq --no-install-recommends --reinstall /root/soma-server_*.deb /root/soma-client_*.deb /root/libsoma1_*.deb; rm /root/*.deb'
    echo "/dev/vda / ext4 defaults 0 1" >"$root/etc/fstab"
    # What is to be done comes on a second disk; nobody else writes to the serial line.
    cat >"$root/etc/systemd/system/task.service" <<'UNIT'
[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash -c "tr -d '\\000' </dev/vdb | bash"
ExecStopPost=/bin/systemctl poweroff --force --force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
UNIT
    mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
    ln -sf ../task.service "$root/etc/systemd/system/multi-user.target.wants/task.service"
    ln -sf /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
}

# start_machine SCRIPT: in the background, its serial line into $scratch/serial; $machine is its process.
start_machine() {
    cp "$here/$1" "$scratch/task"
    truncate -s 64K "$scratch/task"
    : >"$scratch/serial"
    qemu-system-x86_64 -machine q35,accel=tcg -cpu max -smp 2 -m 1500 -display none -serial "file:$scratch/serial" -no-reboot -nic none \
        -kernel "$(echo "$root"/boot/vmlinuz-*)" -initrd "$(echo "$root"/boot/initrd.img-*)" \
        -append "console=ttyS0 root=/dev/vda rw quiet panic=-1" \
        -drive "file=$scratch/disk,format=raw,if=virtio,cache=writeback" -drive "file=$scratch/task,format=raw,if=virtio" </dev/null &
    machine=$!
}

# until_said WORD SECONDS
until_said() {
    local left=$2
    until grep -aq "$1" "$scratch/serial"; do
        left=$((left - 1))
        if [ "$left" -lt 0 ] || ! kill -0 "$machine" 2>/dev/null; then
            echo "power_cut: the machine did not say $1; it said:" >&2
            tail -n 20 "$scratch/serial" >&2
            return 1
        fi
        sleep 1
    done
}

end_machine() {
    kill -9 "$machine" 2>/dev/null || true
    wait "$machine" 2>/dev/null || true
}
trap 'end_machine' EXIT
machine=

make_root
for round in $(seq "$rounds"); do
    rm -f "$scratch/disk"
    truncate -s 3G "$scratch/disk"
    mkfs.ext4 -q -F -d "$root" "$scratch/disk"
    start_machine load.sh
    until_said "READY-FOR-THE-CUT" "$LOAD_MAX_S"
    end_machine
    cp "$scratch/serial" "$scratch/acknowledged"
    start_machine look.sh
    until_said "LOOKED" "$CHECK_MAX_S"
    end_machine
    echo "round $round: $(python3 "$here/compare.py" "$scratch/acknowledged" "$scratch/serial")"
done
