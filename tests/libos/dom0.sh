#!/bin/sh
# Runs in a Debian dom0 on stock Xen: starts the store and the console daemon, a bridge with the
# board's network card, then every image on the disk "apps" through xl.
export PATH=/usr/lib/xen-4.17/bin:$PATH
mkdir -p /var/run/xen /var/run/xenstored /var/lib/xenstored /var/lib/xen /var/log/xen /var/lock /apps
ln -sfn /proc/self/fd /dev/fd
[ -e /dev/stdin ] || ln -s fd/0 /dev/stdin
mount -t xenfs xenfs /proc/xen
xenstored --pid-file /var/run/xenstored.pid || echo "dom0: no store"
xenstore-write /local/domain/0/domid 0
xen-init-dom0
xenconsoled --log=guest --pid-file=/var/run/xenconsoled.pid
ip link add xenbr0 type bridge
ip link set xenbr0 up
if [ -e /sys/class/net/eth0 ]; then
    ip link set eth0 up master xenbr0
fi
ip addr add 10.0.2.9/24 dev xenbr0
for disk in /sys/block/vd*; do
    if [ "$(cat "$disk/serial" 2>/dev/null)" = apps ]; then
        tar -x -f "/dev/${disk##*/}" -C /apps
    fi
    if [ "$(cat "$disk/serial" 2>/dev/null)" = data ]; then
        ln -sfn "/dev/${disk##*/}" /dev/data
    fi
done
echo "dom0: ready"
. /apps/start.sh
