#!/usr/bin/env python3
"""The programs on stock Xen 4.17 behind a Debian dom0's back ends, asked by clients on the host. TAP.

  on_xen.py [--requests N] [--connections N] [--kills N] [--seed N] [NAME...]

The same image files as in tests/libos/on_bulkhead.py, started by xl. dom0's consoles daemon writes each
program's log into a pipe, whose lines come to the host with the name before them: nothing waits by
the clock. The console is kept in build/logs/libos-on-xen.log.
"""
import os
import random
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/libos"), os.path.join(ROOT, "tools/app")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import clients
import dom0
import tap

UP = {"dns": "dns: 9 records"}
SECONDS = 7200

# Each guest's console is a pipe; the reader holds its other end too, so that it never ends.
START = """
log=/var/log/xen/console return=$(printf '\\r')
mkdir -p $log
killall xenconsoled
for name in @PIPES@; do
    mkfifo $log/guest-$name.log
done
tell() { while IFS= read -r line; do echo "($1) $line"; done <>$log/guest-$1.log; }
xenconsoled --log=guest --pid-file=/var/run/xenconsoled.pid
create() { # libxl gives a back end ten seconds, which a loaded machine may not have
    for try in 1 2 3 4; do
        xl create $2 /apps/$1.cfg && return
        xl destroy $1
    done
    echo "dom0: xl create $1 failed"
}
for app in @APPS@; do
    tell $app &
    case $app in
    @ENDING@) create $app -F ;; # until it has ended: the disk is another's then
    *) create $app ;;
    esac
done
xl list
[ ! -p $log/guest-sqlite.log ] || exec 5<>$log/guest-sqlite.log # open before the daemon waits for a reader
for goal in @GOALS@; do
    base=
    create sqlite
    while IFS= read -r line; do
        echo "(sqlite) $line"
        line=${line%"$return"}
        case $line in
        rows:*) base=${line##*last } base=${base%%,*} ;;
        "durable: $((${base:-0} + ${goal%.*}))") break ;;
        *"ended with status"* | done) break ;;
        esac
    done <&5
    usleep ${goal#*.}
    xl destroy sqlite
    echo "dom0: killed sqlite"
done
echo "dom0: all done"
"""


def files_of(names, kills, seed):
    """What the board's disk "apps" holds."""
    files, chance = {}, random.Random(seed)
    goals = [f"{chance.randint(1, 40)}.{chance.randint(1, 200000)}" for _ in range(kills)]
    for name in names:
        address, memory = clients.PROGRAMS[name]
        with open(os.path.join(ROOT, "build/arm64/apps", name, name), "rb") as file:
            files[name] = file.read()
        files[f"{name}.cfg"] = dom0.config(name, memory, clients.boot_words(name), address, disk=name in clients.DISKS)
    files["vif"] = dom0.VIF_SCRIPT
    files["blk"] = dom0.BLOCK_SCRIPT
    files["start.sh"] = (START.replace("@APPS@", " ".join(n for n in names if n != "sqlite"))
                         .replace("@PIPES@", " ".join(names)).replace("@ENDING@", " | ".join(clients.ENDING))
                         .replace("@GOALS@", " ".join(goals) if "sqlite" in names else "")).encode()
    return files


def check_sqlite(text, kills):
    """Every life but the last was killed; each held all that had been announced before it."""
    lives = re.split(r"dom0: killed sqlite", text)[:-1]
    tap.report(len(lives) == kills, f"xen: sqlite was killed {kills} times")
    announced = 0
    for number, life in enumerate(lives, 1):
        said = "\n".join(re.findall(r"^\(sqlite\) (.*)$", life, re.M))
        found = re.search(r"integrity: ok\s+rows: (\d+), last (\d+), wrong (\d+)", said)
        good = found and int(found[1]) == int(found[2]) >= announced and found[3] == "0"
        tap.report(good, f"xen: sqlite, life {number}: {found[1] if found else 'no'} rows, intact; "
                   f"{announced} had been announced")
        announced = max([announced] + [int(n) for n in re.findall(r"durable: (\d+)", said)])


def served(given, names, disk):
    """Boot once, test everything."""
    machine = dom0.Dom0(files_of(names, given.kills, given.seed), disk=disk, seconds=SECONDS,
                        netdev=clients.NETDEV)
    try:
        tap.report(machine.wait_for("dom0: ready"), "xen: dom0 boots, store and consoles run")
        for name in names:
            if name == "sqlite":
                continue
            if name in clients.ENDING:
                machine.wait_for_line(clients.ENDING[name].format(rf"\({name}\) "), f"xl create {name} failed")
                said = re.findall(rf"^\({name}\) (.*)$", machine.text, re.M)
                clients.check_ended(name, "\n".join(said), "xen")
                continue
            up = machine.wait_for(f"({name}) libos: {UP.get(name, 'listening on')}",
                                  f"({name}) {UP.get(name, 'listening on')}", f"xl create {name} failed")
            tap.report(up and f"xl create {name} failed" not in machine.text,
                       f"xen: {name} is up behind netback")
            clients.check(name, clients.address_of(name), f"xen: {name}", given.requests, given.connections)
        tap.report(machine.wait_for("dom0: all done"), "xen: dom0 did all it was told to")
        if "sqlite" in names:
            check_sqlite(machine.text, given.kills)
        tap.report("CRASH" not in machine.text, "xen: no program crashed")
    finally:
        machine.stop()
        os.makedirs(os.path.join(ROOT, "build/logs"), exist_ok=True)
        with open(os.path.join(ROOT, "build/logs/libos-on-xen.log"), "w", encoding="utf-8") as file:
            file.write(machine.text)


if __name__ == "__main__":
    sys.exit(clients.run_all(__doc__, 3, dom0.initramfs, served))
