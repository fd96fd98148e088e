# One hypervisor of the laboratory: libvirtd in namespaces of its own, touching nothing of the machine's.
# Runs under tini as pid 1 of a fresh pid namespace, in its host's network namespace (see hypervisor.rs).
# $1: folder of this host   $2: its name
set -eu
folder=$1 name=$2
hostname "$name"
mount --make-rprivate /
# The devices of its own network namespace, where libvirt isolates a bridge's ports. `ip netns exec` has mounted
# them already, and then the kernel refuses to do it twice.
mount -t sysfs sysfs /sys 2>/dev/null || :

mkdir -p "$folder"/{etc,lib,cache,run,log,dev}
uuid=$(cat /proc/sys/kernel/random/uuid)
cat >"$folder/etc/libvirtd.conf" <<CONF
host_uuid = "$uuid"
unix_sock_group = "root"
unix_sock_rw_perms = "0700"
auth_unix_rw = "none"
auth_unix_ro = "none"
CONF
# QEMU as root: where the KVM device is for root only, another user makes libvirt distrust its cache of QEMU's
# capabilities and probe anew at every look-up, 70 s a start.
cat >"$folder/etc/qemu.conf" <<CONF
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
CONF
# Without a name that resolves, every start of a domain waits 10 s for DNS.
printf '127.0.0.1 localhost %s\n::1 localhost %s\n' "$name" "$name" >"$folder/hosts"
for pair in etc:/etc/libvirt lib:/var/lib/libvirt cache:/var/cache/libvirt run:/run/libvirt log:/var/log/libvirt; do
  mkdir -p "${pair#*:}"
  mount --bind "$folder/${pair%%:*}" "${pair#*:}"
done
mount --bind "$folder/hosts" /etc/hosts

# libvirt looks up its usual user for QEMU before it reads that another one is configured. Debian makes it with
# a package whose services we do not want; so it exists in here only.
for file in passwd group; do
  cp "/etc/$file" "$folder/$file"
  grep -q '^libvirt-qemu:' "$folder/$file" || case $file in
    passwd) echo 'libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin' >>"$folder/$file" ;;
    group) echo 'libvirt-qemu:x:64055:' >>"$folder/$file" ;;
  esac
  mount --bind "$folder/$file" "/etc/$file"
done

# A /dev without kvm: guests run under TCG on every machine alike, and libvirt's cache stays valid.
dev=$folder/dev
mount -t tmpfs -o mode=755 dev "$dev"
for node in null zero full random urandom tty; do
  touch "$dev/$node"
  mount --bind "/dev/$node" "$dev/$node"
done
mkdir -p "$dev/net" "$dev/pts" "$dev/shm"
mknod -m 666 "$dev/net/tun" c 10 200
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$dev/pts"
mount -t tmpfs -o mode=1777 shm "$dev/shm"
mount --move "$dev" /dev

virtlogd -p /run/libvirt/virtlogd.pid &
# libvirtd, unless the file `hold` says that it shall be away; guests run on meanwhile, as children of tini.
while :; do
  while [ -e "$folder/hold" ]; do sleep 0.2; done
  libvirtd -p /run/libvirt/libvirtd.pid &
  while kill -0 $! 2>/dev/null && [ ! -e "$folder/hold" ]; do sleep 0.2; done
  kill $! 2>/dev/null || :
  wait $! || :
done
