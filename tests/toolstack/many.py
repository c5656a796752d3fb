#!/usr/bin/env python3
"""Fifty guests of xl created and destroyed in a row, ten at once: frames return to where they were. TAP.

  many.py [--on HYPERVISOR] [--rounds 50] [--guests 10] [-v]

The hypervisor itself counts, asked on its own console; `xen` is stock Xen.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from machine import OURS, TOP, Machine, guest_ramdisk, parser, tested


def free_kib(machine):
    """Free memory in KiB, from the hypervisor's own console; the keyboard goes back to the domain."""
    step = "\x01\x01" * 3 if machine.is_xen else "\x14"
    moved = r"Serial input to (\w+)" if machine.is_xen else r"--- (the hypervisor|\S+).* has keyboard"
    for _ in range(8):
        machine.send(step)
        if machine.wait(moved, 30)[1] in ("Xen", "the hypervisor"):
            break
    machine.send("m" if machine.is_xen else "memory\r")
    found = machine.wait(r"Dom heap: (\d+)kB free" if machine.is_xen
                         else r"KiB of memory; (\d+) free", 30)
    machine.send(step)
    machine.wait(moved, 30)
    return int(found[1])


def spare_kib(machine):
    """KiB free, with what the control domain has and its stage 2 takes: they vary with what it maps."""
    begin, free = machine.seen, free_kib(machine)
    if machine.is_xen:
        return free
    has, tables = re.search(r"(\d+) +\d+ +\d+ +(\d+) +\d+ +control\n", machine.text[begin:]).groups()
    return free + int(has) + int(tables)


def play(machine, tap, given):
    """The script's pauses, and what is counted in them."""
    machine.wait(r"many: before\n", 120)
    before = spare_kib(machine)
    machine.send("\n")
    machine.wait(r"many: after rounds\n", 20 * given.rounds)
    after = spare_kib(machine)
    tap.result(before == after, f"{given.rounds} guests in a row: {before} KiB spare, then {after}")
    machine.send("\n")
    machine.wait(r"many: after ten\n", 200 + 60 * given.guests)
    after = spare_kib(machine)
    said = machine.once()
    listed = re.findall(r"^m\d+ +\d+ ", said, re.M)
    tap.result(len(listed) == given.guests, f"{given.guests} at once are listed")
    tap.result(len(re.findall(r"guest: ping 0%", said)) == given.guests
               and len(re.findall(r"guest: disk says disk-of-m", said)) == given.guests,
               "each has its disk and answers on the bridge")
    tap.result(before == after, f"{given.guests} at once: {before} KiB spare, then {after}")
    machine.send("\n")
    machine.wait(r"run many: exit 0", 30)
    failed = re.findall(r"many: (FAILED.*)", machine.text)
    tap.result(not failed, f"no command failed {failed[:3] or ''}")


def main():
    """Run it; 0 if all is well."""
    words = parser(__doc__)
    words.add_argument("--on", default=OURS, metavar="FILE|xen")
    words.add_argument("--rounds", type=int, default=50)
    words.add_argument("--guests", type=int, default=10)
    given = words.parse_args()
    files = [os.path.join(TOP, "build/arm64/tests/guest/idle") + "=/guest/tiny"]
    board = Machine("many", given.on, run="start,many", guest=guest_ramdisk(), files=files,
                    memory=3072,
                    extra=f"bulkhead.rounds={given.rounds} bulkhead.guests={given.guests}")
    with tested(board, given) as (machine, tap):
        play(machine, tap, given)
    return tap.status()


if __name__ == "__main__":
    sys.exit(main())
