#!/usr/bin/env python3
"""The programs on stock Xen 4.17 behind a Debian dom0's back ends, asked by clients on the host. TAP.

  on_xen.py [--requests N] [--connections N] [--kills N] [--seed N] [NAME...]

The same image files as in tests/libos/on_bulkhead.py, started by xl. dom0's consoles daemon writes each
program's log into a pipe, whose lines come to the host with the name before them: nothing waits by
the clock. The console is kept in build/logs/libos-on-xen.log.
"""
import argparse
import os
import random
import re
import signal
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/libos"), os.path.join(ROOT, "tools/app")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import clients
import dom0
import tap

# The last byte of the address; MiB of memory.
PROGRAMS = {"web": (21, 5), "web-tls": (22, 8), "dns": (24, 5), "lighttpd": (23, 12), "sqlite": (0, 16)}
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
        xl create /apps/$1.cfg && return
        xl destroy $1
    done
    echo "dom0: xl create $1 failed"
}
for app in @APPS@; do
    tell $app &
    create $app
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
        address, memory = PROGRAMS[name]
        with open(os.path.join(ROOT, "build/arm64/apps", name, name), "rb") as file:
            files[name] = file.read()
        files[f"{name}.cfg"] = (dom0.config(name, memory, f"ip=10.0.2.{address}/24 gateway=10.0.2.2", address)
                                if address else dom0.config(name, memory, "-- 1000000", disk=True))
    files["vif"] = dom0.VIF_SCRIPT
    files["blk"] = dom0.BLOCK_SCRIPT
    files["start.sh"] = (START.replace("@APPS@", " ".join(n for n in names if n != "sqlite"))
                         .replace("@PIPES@", " ".join(names))
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
    where = {name: f"10.0.2.{PROGRAMS[name][0]}" for name in names if PROGRAMS[name][0]}
    machine = dom0.Dom0(files_of(names, given.kills, given.seed), disk=disk, seconds=SECONDS,
                        netdev=clients.NETDEV)
    try:
        tap.report(machine.wait_for("dom0: ready"), "xen: dom0 boots, store and consoles run")
        for name, address in where.items():
            up = machine.wait_for(f"({name}) libos: {UP.get(name, 'listening on')}",
                                  f"({name}) {UP.get(name, 'listening on')}", f"xl create {name} failed")
            tap.report(up and f"xl create {name} failed" not in machine.text,
                       f"xen: {name} is up behind netback")
            clients.check(name, address, f"xen: {name}", given.requests, given.connections)
        tap.report(machine.wait_for("dom0: all done"), "xen: dom0 did all it was told to")
        if "sqlite" in names:
            check_sqlite(machine.text, given.kills)
        tap.report("CRASH" not in machine.text, "xen: no program crashed")
    finally:
        machine.stop()
        os.makedirs(os.path.join(ROOT, "build/logs"), exist_ok=True)
        with open(os.path.join(ROOT, "build/logs/libos-on-xen.log"), "w", encoding="utf-8") as file:
            file.write(machine.text)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=0, help="of the load test, to each server")
    parser.add_argument("--connections", type=int, default=300, help="at once")
    parser.add_argument("--kills", type=int, default=3, help="of sqlite")
    parser.add_argument("--seed", help="of the moments of the kills")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PROGRAMS))
    given = parser.parse_args()
    if "LIBOS_INSIDE" not in os.environ:
        dom0.initramfs()  # what is missing in the cache comes while there is a network
    clients.own_network()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    built = [name for name in PROGRAMS if os.path.exists(f"{ROOT}/build/arm64/apps/{name}/{name}")]
    for name in sorted(set(PROGRAMS) - set(built)):
        print(f"# {name} is left out: not built (bulkhead app build -t xen {name})")
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        disk.truncate(32 << 20)
        served(given, [name for name in PROGRAMS if name in (given.names or built)], disk.name)
    print(f"1..{len(tap.RESULTS)}")
    return 0 if all(tap.RESULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
