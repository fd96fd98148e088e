# Makes this process, in namespaces of its own, pid 1 of a Debian whose files are an overlay on a base.
# usage: bash boot.sh BASE WORK
set -euo pipefail
base=$1 work=$2
root=$work/root
mkdir -p "$work"/{upper,work,root}
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
# No /dev/kvm: the machine is the same on every machine.
mount -t tmpfs -o mode=755 dev "$root/dev"
for name in null zero full random urandom tty; do
  touch "$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/net"
mknod "$root/dev/net/tun" c 10 200
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ip link set lo up
hostname innkeeper-machine
# libvirt asks for the host's own name at each start of a guest, and waits long for no answer.
echo "127.0.0.1 localhost innkeeper-machine" >"$root/etc/hosts"
echo innkeeper-machine >"$root/etc/hostname"
cd "$root"
pivot_root . mnt
umount -l /mnt
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system
