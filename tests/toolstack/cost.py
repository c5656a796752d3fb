#!/usr/bin/env python3
"""Instructions at EL2 and time of one `xl create` and `xl destroy`, of a disk's request and a packet, beside stock Xen.

  cost.py [--on HYPERVISOR] [-v]      only one of them

One CPU, -icount, the counting plugin of bench/: exact for the hypervisor,
and the same control domain and guest on both; an instruction takes a nanosecond. Prints a table; exit 1 if
a figure is above its part of stock Xen's.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from machine import HERE, OURS, TOP, Failed, Machine, guest_ramdisk, parser
sys.path.insert(0, os.path.join(TOP, "bench"))
import run as bench

TEXT = {"create": "xl create, Debian's kernel, 128 MiB, 1 vCPU", "create-ms": "... ms until it returns",
        "destroy": "xl destroy of it", "destroy-ms": "... ms until it returns",
        "disk": "blkfront request of 4 KiB", "net": "netfront packet received"}
BUDGETS = {"create": 1, "destroy": 1, "disk": 0.5, "net": 0.5}  # of stock Xen's


def mark_program():
    """The program that brackets what is measured."""
    path = os.path.join(TOP, "build/toolstack/mark")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static", "-o", path,
                    os.path.join(HERE, "mark.S")], check=True)
    return path


def measure(name, hypervisor, verbose):
    """{key: instructions at EL2 for one, or milliseconds} on one hypervisor."""
    mark = mark_program() + "=/tests/mark"
    counted = bench.Counted("xen" if hypervisor == "xen" else hypervisor)
    guest = guest_ramdisk(files=[mark])
    options = ["-icount", "shift=0,sleep=off", "-plugin", counted.plugin]
    with Machine(f"cost-{name}", hypervisor, run="start,cost", cpus=1, guest=guest, files=[mark],
                 options=options) as machine:
        machine.wait(r"run cost: exit", 900)
        found = re.findall(r": region (\w+) (\d+)", machine.text)
        took = {f"{key}-ms": int(ms) for key, ms in re.findall(r": took (\w+) (\d+)", machine.text)}
        if verbose:
            print(machine.text)
        if re.search(r"cost: FAILED|guest: no data", machine.text):
            raise Failed(f"a command failed: build/logs/cost-{name}.log")
    regions = counted.regions()
    took.update((key, regions[index]["el2"] // max(int(count), 1))
                for index, (key, count) in enumerate(found) if index < len(regions))
    return took


def main():
    """The table."""
    words = parser(__doc__)
    words.add_argument("--on", metavar="FILE|xen")
    given = words.parse_args()
    both = {"bulkhead": OURS, "xen": "xen"} if not given.on else {
        "xen" if given.on == "xen" else "bulkhead": given.on}
    figures = {name: measure(name, where, given.verbose) for name, where in both.items()}
    bad = not all(set(rows) == set(TEXT) for rows in figures.values())
    print(f"{'EL2 instructions':46}" + "".join(f"{name:>14}" for name in list(figures) + ["budget"]))
    for key, text in TEXT.items():
        rows = [values.get(key, "absent") for values in figures.values()]
        budget = int(rows[1] * BUDGETS[key]) if len(rows) == 2 and "absent" not in rows and key in BUDGETS else "-"
        over = budget != "-" and rows[0] > budget
        bad |= over
        print(f"{text:46}" + "".join(f"{value:>14}" for value in rows + [budget]) + "  OVER BUDGET" * over)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
