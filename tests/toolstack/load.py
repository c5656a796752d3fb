#!/usr/bin/env python3
"""fio with verification and iperf3 in a guest of xl, against the back ends of the control domain, beside an attacker. TAP.

  load.py [--hostile NAME] [-v]      a guest of tests/guest/hostile (default: hyperfuzz)
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from machine import OURS, TOP, Machine, guest_ramdisk, parser, tested


def hostile(name):
    """Domain file of an attacker that attacks for an hour, and again when it ends."""
    return (f'memory = 64\nvcpus = 1\nkernel = "{TOP}/build/arm64/tests/guest/{name}"\n'
            'vuart = "sbsa_uart"\nextra = "seed=1 ms=3600000"\nxen_enhanced = "no-xenstore"\n'
            'on_crash = "restart"\non_poweroff = "restart"\n')


def play(machine, tap, attacker):
    """What the guest says of its load, and that it was not alone."""
    machine.wait(r"guest: disk says disk-of-g1", 400)
    machine.wait(r"guest: fio verified", 60)
    tap.result(True, "fio: what was written is read, beside " + attacker)
    for way in ("there", "-R"):
        found = machine.wait(rf"guest: iperf3 {way} (\d+) Mbit/s", 60)
        tap.result(int(found[1]) > 0, f"iperf3 {way}: {found[1]} Mbit/s")
    machine.wait(r"run load: exit 0", 60)
    failed = re.findall(r"FAILED.*", machine.text)
    tap.result(not failed, f"nothing failed {failed[:3] or ''}")
    ended = re.search(rf"\] {attacker}.*(destroyed|crashed)", machine.text)
    tap.result(f"({attacker})" in machine.text and not ended, "the attacker was at it")


def main():
    """0 if the data is right and somebody attacked."""
    words = parser(__doc__)
    words.add_argument("--hostile", default="hyperfuzz", metavar="NAME")
    given = words.parse_args()
    board = Machine("load", OURS, run="start,load",
                    guest=guest_ramdisk(("fio:fio", "iperf3:iperf3")),
                    programs=("iperf3:iperf3",),
                    domains={given.hostile: hostile(given.hostile)})
    with tested(board, given) as (machine, tap):
        play(machine, tap, given.hostile)
    return tap.status()


if __name__ == "__main__":
    sys.exit(main())
