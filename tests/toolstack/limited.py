#!/usr/bin/env python3
"""Debian's xl in a domain with `control` over two of three guests: it sees and touches those two. TAP.

  limited.py [-v]
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from machine import OURS, TOP, Machine, guest_ramdisk, parser, tested

GUEST = (f'memory = 32\nvcpus = 1\nkernel = "{TOP}/build/arm64/tests/guest/idle"\n'
         'vuart = "sbsa_uart"\nxen_enhanced = "enabled"\n')
# What is tried upon the two; upon the third, or without the right; what the hypervisor's log says of that.
ALLOWED = [f"xl {what.format(name)}" for name in ("red", "blue") for what in (
    "pause {}", "list {}", "unpause {}", "vcpu-pin {} 0 0", "vcpu-list {}",
    "sched-credit2 -d {} -w 512")] + ["xl destroy blue"]
# (xl itself ends some of them with 0 all the same; `xl list` does not even say that green exists.)
REFUSED = {
    "xl list green": "is an invalid domain identifier", "xl list 4": "Domain '4' does not exist",
    "xl pause 4": "pausedomain of green: it has no right to control it",
    "xl unpause 4": "unable to get domain type for domid=4",
    "xl destroy 4": "Domain 4:Non-existant domain",
    "xl dump-core red core": "the mapping of a frame of red: it has no right to inspect it",
    "xl create -q s.cfg": "createdomain: it has not the right build",
    "xl cpupool-cpu-remove Pool-0 1": "changing CPU pools: it has not the right schedule",
    "xl sched-credit2 -s -r 500": "changing the scheduler: it has not the right schedule"}


def listed(output):
    """Names in what `xl list` printed."""
    return [line.split()[0] for line in output.split("\n")[1:] if line]


def judge(text, tap):
    """Each attempt and its answer."""
    tries = [(words, int(status), re.sub(r"(?m)^limited: \| ", "", output)) for words, status, output in
             re.findall(r"(?m)^limited: (xl .*) = (\d+)\n((?:limited: \| .*\n)*)", text)]
    status = {words: number for words, number, _ in tries}
    lists = [listed(output) for words, _, output in tries if words == "xl list"]
    tap.result(lists == [["Domain-0", "red", "blue"], ["Domain-0", "red"]],
               f"xl list shows the two, and the one that is left: {lists}")
    for words in ALLOWED:
        tap.result(status.get(words) == 0, f"{words}: status {status.get(words)}")
    for words, why in REFUSED.items():
        tap.result(words in status and why in text, f"{words}: {why}")
    tap.result(re.search(r"\] green.*(destroyed|crashed|powered)", text) is None, "green runs on")


def main():
    """0 if exactly what the rights allow succeeds."""
    given = parser(__doc__).parse_args()
    board = Machine(
        "limited", OURS, run="start,limited", guest=guest_ramdisk(),
        files=[f"{TOP}/build/arm64/tests/guest/idle=/guest/tiny"],
        rights=["control red", "control blue", "store", "console"],
        extra="bulkhead.names=2:red,3:blue,4:green bulkhead.store=xenstored",
        domains={name: GUEST for name in ("red", "blue", "green")})
    with tested(board, given) as (machine, tap):
        machine.wait(r"run limited: exit", 100)
        judge(machine.text, tap)
    return tap.status()


if __name__ == "__main__":
    sys.exit(main())
