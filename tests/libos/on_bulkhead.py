#!/usr/bin/env python3
"""The programs on Bulkhead behind a stock Linux's back ends, asked by clients on the host. TAP.

  on_bulkhead.py [--requests N] [--connections N] [--kills N] [--seed N] [NAME...]

One board: a Debian Linux with the store, xen-netback and xen-blkback, and beside it every image, as
built: the same files that tests/libos/on_xen.py starts on stock Xen. sqlite is killed again and again;
what it announced as durable must be there in its next life. Logs: build/logs/libos-served.log.
"""
import argparse
import os
import random
import re
import signal
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/libos"), os.path.join(ROOT, "tests/system")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import clients
import pvio
import tap
from board import Board, Failed, Guest, literal

# The last byte of the address; MiB of memory.
PROGRAMS = {"web": (21, 5), "web-tls": (22, 8), "dns": (24, 5), "lighttpd": (23, 12), "sqlite": (0, 16)}
UP = {"dns": r"network: address", "sqlite": r"rows: "}
SECONDS = 120  # to be up; stretched by $SLOW


class Image:
    """A unikernel's domain file."""

    def __init__(self, name, extra):
        self.name = name
        self.extra = extra

    def text(self):
        """As a user would write it."""
        image = os.path.join(ROOT, "build/arm64/apps", self.name, self.name)
        return "".join(f"{key} = {literal(value)}\n" for key, value in {
            "name": self.name, "memory": PROGRAMS[self.name][1], "kernel": image,
            "extra": self.extra, "xen_enhanced": "enabled"}.items())


class Served(Board):
    """The board with a network card and a disk."""

    def __init__(self, name, guests, disk):
        super().__init__(name, guests, memory=1024)
        self.more = ["-netdev", clients.NETDEV, "-global", "virtio-mmio.force-legacy=off",
                     "-device", "virtio-net-device,netdev=net,bus=virtio-mmio-bus.0", "-drive",
                     f"file={disk},if=none,id=disk,format=raw,cache=writeback", "-device",
                     "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.8"]

    def _command(self, files, extra):
        return super()._command(files, extra + self.more)


def ends():
    """The Linux with the store (pvio's name for it) and the back ends."""
    return Guest("ctl", run=("ends",), rights=["store"], memory=192, programs=pvio.STORE, extra="quiet",
                 modules=("virtio_mmio", "virtio_net", "virtio_blk", "bridge", "xen-evtchn", "xen-gntdev",
                          "xen-privcmd", "xenfs", "xen-netback", "xen-blkback"),
                 files=(f"{ROOT}/tests/libos/guest/ends=/tests/ends",), xen_enhanced="enabled", direct_map=1,
                 assign=["/virtio_mmio@a000000", "/virtio_mmio@a001000"])


def plug(board, name, number):
    """Give a domain its device, then introduce it: it must not find the store empty."""
    kind = "disk" if name == "sqlite" else "net"
    pvio.order(board, f"{kind} 0 {number} 0" + (" fe:0" if kind == "disk" else ""))
    pvio.order(board, f"introduce {number}")


def is_up(board, name):
    """Wait until it serves, or has looked at its database."""
    return board.expect(name, UP.get(name, r"listening on"), SECONDS)


def lives_of_sqlite(board, number, kills, chance):
    """Kill it between any two instructions; each next life must hold all that was announced."""
    announced = 0
    for life in range(kills + 1):
        if life:
            plug(board, "sqlite", number)
            is_up(board, "sqlite")
        text = "\n".join(board.text_of("sqlite"))
        found = re.findall(r"integrity: (.*)\nrows: (\d+), last (\d+), wrong (\d+)", text)[-1:]
        good = len(found) == 1 and found[0][0] == "ok" and found[0][3] == "0" \
            and int(found[0][1]) == int(found[0][2]) >= announced
        tap.report(good, f"bulkhead: sqlite, life {life + 1}: {found[0][1] if found else 'no'} rows, intact; "
                   f"{announced} had been announced")
        if life == kills:
            return
        goal = (int(found[0][1]) if found else 0) + chance.randint(1, 40)
        board.expect("sqlite", rf"durable: {goal}$", SECONDS)
        board.drain(chance.random() / 5)
        pvio.destroy(board, "sqlite")
        announced = max(int(n) for n in re.findall(r"durable: (\d+)", "\n".join(board.text_of("sqlite"))))
        pvio.order(board, f"forget {number}")
        board.read_to["sqlite"] = len(board.lines)
        pvio.start(board, "sqlite")


def served(given, names, disk):
    """The board and all checks."""
    where = {name: f"10.0.2.{PROGRAMS[name][0]}" for name in names if PROGRAMS[name][0]}
    images = [Image(name, f"ip={where[name]}/24 gateway=10.0.2.2" if name in where else "-- 1000000")
              for name in names]
    with Served("libos-served", [ends()] + images, disk) as board:
        board.expect("ctl", "run ends: exit 0", 60)
        for number, name in enumerate(names, 2):
            plug(board, name, number)
        for number, name in enumerate(names, 2):
            tap.report(is_up(board, name), f"bulkhead: {name} is up behind Linux's back end")
            if name in where:
                clients.check(name, where[name], f"bulkhead: {name}", given.requests, given.connections)
            else:
                lives_of_sqlite(board, number, given.kills, random.Random(given.seed))
        sealed = [name for name in names if "sealed: code is read-only" in "\n".join(board.text_of(name))]
        tap.report(sealed == names, f"bulkhead: sealed: {', '.join(sealed)}")
        trouble = board.trouble() or next((f"{who}: {text}" for _, who, text in board.lines
                                           if "CRASH" in text), None)
        tap.report(not trouble, "bulkhead: nobody complained" + (f": {trouble}" if trouble else ""))


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=0, help="of the load test, to each server")
    parser.add_argument("--connections", type=int, default=300, help="at once")
    parser.add_argument("--kills", type=int, default=2, help="of sqlite")
    parser.add_argument("--seed", help="of the moments of the kills")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PROGRAMS))
    given = parser.parse_args()
    if "LIBOS_INSIDE" not in os.environ:
        ends().text()  # what is missing in the cache comes while there is a network
    clients.own_network()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    built = [name for name in PROGRAMS if os.path.exists(f"{ROOT}/build/arm64/apps/{name}/{name}")]
    names = [name for name in PROGRAMS if name in (given.names or built)]
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        disk.truncate(32 << 20)
        try:
            served(given, names, disk.name)
        except Failed as why:
            tap.report(False, "bulkhead: the board")
            print("".join(f"# {line}\n" for line in str(why).split("\n")))
    print(f"1..{len(tap.RESULTS)}")
    return 0 if all(tap.RESULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
