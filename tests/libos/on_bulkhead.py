#!/usr/bin/env python3
"""The programs on Bulkhead behind a stock Linux's back ends, asked by clients on the host. TAP.

  on_bulkhead.py [--requests N] [--connections N] [--kills N] [--seed N] [NAME...]

One board: a Debian Linux with the store, xen-netback and xen-blkback, and beside it every image, as
built: the same files that tests/libos/on_xen.py starts on stock Xen. sqlite is killed again and again;
what it announced as durable must be there in its next life. Logs: build/logs/libos-served.log.
"""
import os
import random
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/libos"), os.path.join(ROOT, "tests/system")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import clients
import pvio
import tap
from board import Board, Failed, Guest, literal

UP = {"dns": r"network: address", "sqlite": r"rows: "}
SECONDS = 120  # to be up; stretched by $SLOW


class Image:
    """A unikernel's domain file."""

    def __init__(self, name):
        self.name = name
        self.extra = clients.boot_words(name)

    def text(self):
        """As a user would write it."""
        image = os.path.join(ROOT, "build/arm64/apps", self.name, self.name)
        return "".join(f"{key} = {literal(value)}\n" for key, value in {
            "name": self.name, "memory": clients.PROGRAMS[self.name][1], "kernel": image,
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
    """Give a domain its devices, then introduce it: it must not find the store empty."""
    if name in clients.DISKS:
        pvio.order(board, f"disk 0 {number} 0 fe:0")
    if name not in clients.PROGRAMS or clients.PROGRAMS[name][0]:
        pvio.order(board, f"net 0 {number} 0")
    pvio.order(board, f"introduce {number}")


def is_up(board, name):
    """Wait until it serves, or has looked at its database."""
    return board.expect(name, UP.get(name, r"listening on"), SECONDS, whole=True)


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
        board.expect("sqlite", rf"durable: {goal}$", SECONDS, whole=True)
        board.drain(chance.random() / 5)
        pvio.destroy(board, "sqlite")
        announced = max(int(n) for n in re.findall(r"durable: (\d+)", "\n".join(board.text_of("sqlite"))))
        pvio.order(board, f"forget {number}")
        board.read_to["sqlite"] = len(board.lines)
        pvio.start(board, "sqlite")


def served(given, names, disk):
    """The board and all checks."""
    try:
        with Served("libos-served", [ends()] + [Image(name) for name in names], disk) as board:
            check_all(board, given, names)
    except Failed as why:
        tap.report(False, "bulkhead: the board")
        print("".join(f"# {line}\n" for line in str(why).split("\n")))


def check_all(board, given, names):
    """Plug everything in, then ask one after the other."""
    board.expect("ctl", "run ends: exit 0", 60)
    for number, name in enumerate(names, 2):
        plug(board, name, number)
        if name in clients.ENDING:
            board.expect(name, clients.ENDING[name].format(""), SECONDS, whole=True)
            clients.check_ended(name, "\n".join(board.text_of(name)), "bulkhead")
            pvio.order(board, f"forget {number}")
    for number, name in enumerate(names, 2):
        if name in clients.ENDING:
            continue
        tap.report(is_up(board, name), f"bulkhead: {name} is up behind Linux's back end")
        if name == "sqlite":
            lives_of_sqlite(board, number, given.kills, random.Random(given.seed))
        else:
            clients.check(name, clients.address_of(name), f"bulkhead: {name}", given.requests, given.connections)
    sealed = [name for name in names if "sealed: code is read-only" in "\n".join(board.text_of(name))]
    tap.report(sealed == names, f"bulkhead: sealed: {', '.join(sealed)}")
    trouble = board.trouble() or next((f"{who}: {text}" for _, who, text in board.lines
                                       if "CRASH" in text), None)
    tap.report(not trouble, "bulkhead: nobody complained" + (f": {trouble}" if trouble else ""))


if __name__ == "__main__":
    sys.exit(clients.run_all(__doc__, 2, lambda: ends().text(), served))
