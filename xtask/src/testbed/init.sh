#!/bin/sh
# The guest's first process. Lines that start with the token are for the host; see testbed/console.rs.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux LC_ALL=C
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
echo "@TOKEN@ started"
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t securityfs securityfs /sys/kernel/security
ln -s /proc/self/fd /dev/fd
hostname -F /etc/hostname
ip link set lo up
modprobe virtio_pci
modprobe virtio_blk

cd /
/etc/testbed/command
code=$?

# The disk: a tar of /out from its second block on; then, when that is safe, the first block says so.
tar -cf - -C /out . | dd of=/dev/vda bs=4096 seek=1 conv=notrunc 2>/dev/null
sync
printf '%s exit %d\n' "@TOKEN@" "$code" | dd of=/dev/vda bs=4096 conv=notrunc,sync 2>/dev/null
sync
echo "@TOKEN@ exit $code"
echo b >/proc/sysrq-trigger
reboot -f
