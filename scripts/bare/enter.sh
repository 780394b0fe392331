#!/bin/sh
# The first process of the namespaces in which a bare root runs: mounts what a default container has, and runs
# a command there. Everything mounted here is seen in here only, and goes with the last process.
#
#   enter.sh ROOT CONFINE UID HOME PATH COMMAND
set -eu
root=$1 confine=$2 uid=$3 home=$4 path=$5 command=$6

mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t tmpfs -o nosuid,noexec,mode=0755 dev "$root/dev"
for device in null zero full random urandom tty; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o nosuid,nodev,noexec,mode=1777,size=64m shm "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
hostname bare

# Docker's default set.
capabilities=-all
for capability in chown dac_override fsetid fowner mknod net_raw setgid setuid setfcap setpcap \
  net_bind_service sys_chroot kill audit_write; do
  capabilities="$capabilities,+$capability"
done

mkdir -p "$root/run/host"
cd "$root"
pivot_root . run/host
umount -l /run/host
rmdir /run/host

# Not as this process itself: a change of the user would make it outlive the one that watches it.
status=0
cd "$home"
env HOME="$home" PATH="$path" USER="$(id -un "$uid")" LOGNAME="$(id -un "$uid")" \
  perl -e "$confine" -- setpriv --bounding-set "$capabilities" --inh-caps -all \
  --reuid "$uid" --regid "$uid" --clear-groups \
  sh -c "$command" || status=$?
exit "$status"
