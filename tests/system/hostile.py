#!/usr/bin/env python3
"""Hostile guests beside a stock Debian guest that must notice nothing.

  hostile.py [--hypervisor FILE] [--each] [--gic 2|3] [--seconds N]

All share one CPU. The Debian guest runs stress-ng with its own checks, and has the
weight of all attackers together: so half of the CPU is its own, whatever they do. Its
stress test must pass, its kernel complain of nothing, its clock keep time, and its share,
by the hypervisor's own account, fall by 5 % at most. --each takes the attackers one by
one, for longer. Prints TAP.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from board import OURS, TOP, Board, Failed, Guest, Tap, literal  # noqa: E402

# Every source below tests/guest/hostile is an attacker; these need more than the defaults.
VCPUS = {"race": 2}
SHARE = 0.5 * 0.95


def attackers():
    """Names of all hostile guests."""
    folder = os.path.join(TOP, "tests/guest/hostile")
    return sorted(name[:-2] for name in os.listdir(folder) if name.endswith(".c"))


class Attacker(Guest):
    """A guest of tests/guest/hostile that attacks for an hour, and again when it ends."""

    def text(self):
        """The domain file."""
        keys = {"name": self.name, "memory": 64, "vcpus": VCPUS.get(self.name, 1),
                "vuart": "sbsa_uart", "extra": "seed=1 ms=3600000", "on_poweroff": "restart",
                "kernel": os.path.join(TOP, "build/arm64/tests/guest", self.name),
                "on_crash": "restart", "xen_enhanced": "no-xenstore"}
        return "".join(f"{key} = {literal(value)}\n" for key, value in keys.items())


def ran_ms(board, name):
    """(seconds of ours, milliseconds that the vCPUs of a domain have run)."""
    board.send(None, "")
    board.expect(None, r"bulkhead> (\x1b\[K)?$", 30)
    board.read_to[None] = len(board.lines)
    board.send(None, f"vcpus {name}\r")
    found = board.expect(None, r"^ +0 +\w+ +\d+ +(\d+) +(\d+) ", 30)
    return int(found[1]), int(found[2])


def beside(tap, names, options):
    """One board: the Debian guest and these attackers."""
    home = Guest("home", memory=256, run=("stress", "dmesg"), programs=("stress-ng:stress-ng",),
                 cpu_weight=256 * sum(VCPUS.get(name, 1) for name in names))
    label = f"hostile: {names[0] if len(names) == 1 else f'all {len(names)} at once'} beside Debian"
    with Board("hostile-linux", [home] + [Attacker(name) for name in names], cpus=1, gic=options.gic,
               hypervisor=options.hypervisor) as board:
        try:
            # What attackers say is theirs, and of no interest here.
            board.send(None, "quiet on\r")
            board.expect(None, "held back", 60)
            board.send("home", "")
            board.expect("home", "run stress: begin", 200)
            # The stressor computes without end now: what it does not get, somebody took.
            ran, waited = ran_ms(board, "home")
            board.drain(options.seconds)
            ran_more, waited_more = ran_ms(board, "home")
            ran, waited = ran_more - ran, waited_more - waited
            share = ran / max(ran + waited, 1)
            board.send("home", "")
            for script in home.run:
                found = board.expect("home", rf"run {script}: exit (\d+)", 200)
                if found[1] != "0":
                    raise Failed(f"{script} ended with status {found[1]}\n{board.tail('home')}")
            if trouble := board.trouble():
                raise Failed(f"somebody complained: {trouble}")
            tap.result(f"{label}: stress test passes, nobody complains")
            wrong = None if share >= SHARE else f"{share:.3f} of the CPU instead of 0.500"
            tap.result(f"{label}: it keeps its share", wrong=wrong, note=f"{share:.3f}")
        except Failed as why:
            tap.result(f"{label}: it notices nothing", wrong=str(why))
            tap.result(f"{label}: it keeps its share", wrong="not measured")


def main():
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hypervisor", default=OURS)
    parser.add_argument("--gic", type=int, default=3, choices=(2, 3))
    parser.add_argument("--each", action="store_true", help="one by one")
    parser.add_argument("--seconds", type=int, default=5, help="for which the share is measured")
    parser.add_argument("names", nargs="*", metavar="ATTACKER")
    options = parser.parse_args()
    names = options.names or attackers()
    groups = [[name] for name in names] if options.each else [names]
    tap = Tap(2 * len(groups))
    for group in groups:
        beside(tap, group, options)
    return 1 if tap.failures else 0


if __name__ == "__main__":
    sys.exit(main())
