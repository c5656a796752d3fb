#!/usr/bin/env python3
"""Boot unikernels without a control domain and check what they say. TAP.

  xen_boot.py [--on HYPERVISOR] [NAME...]    stock Xen 4.17, or the image given
"""
import argparse
import os
import re
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "app"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import board

SECONDS = 300  # of wall time; a boot takes about 5 on an idle machine

# name, bootargs, memory in KiB, expressions the console must show in this order
CASES = [
    ("hello", "", 5120, [r"no seed from the hypervisor", r"not sealed: this hypervisor cannot",
                         r"Hello from hello, 0 arguments"]),
    ("hello", "-- one two", 5120, [r"Hello from hello, 2 arguments"]),
    ("hello", "nonsense=1", 5120, [r"boot argument nonsense=1 means nothing", r"Hello"]),
    ("attacker", "", 5120, [r"ok 1 ", r"ok 2 ", r"ok 3 ", r"ok 4 ", r"done"]),
    ("attacker", "-- write-text", 5120, [r"CRASH: access to memory", r"write of address",
                                         r"backtrace of image", r"at image\+0x"]),
    ("attacker", "-- run-data", 5120, [r"CRASH: jump to an address that is not code",
                                       r"jump to address"]),
    ("attacker", "-- overflow", 5120, [r"CRASH: access to memory", r"the stack is full"]),
    ("attacker", "-- null", 5120, [r"CRASH: access to memory", r"read of address 0x8"]),
    ("attacker", "-- exit", 5120, [r"the program ended with status 3"]),
    # Without the hypervisor's seal an attacker who rewrites the tables wins: this is why it exists.
    ("attacker", "-- tables", 5120, [r"the forged code ran and returned 42"]),
    ("posix", "", 8192, [r"1\.\.\d+", r"all \d+ passed"]),
]


# Lines that only stock Xen makes true: Bulkhead gives a seed and may seal.
STOCK_ONLY = (r"no seed from the hypervisor", r"not sealed: this hypervisor cannot")


def check(case, hypervisor):
    """Boot one case; returns (passed, description, console)."""
    name, bootargs, memory, wanted = case
    if hypervisor:
        wanted = [text for text in wanted if text not in STOCK_ONLY]
    image = os.path.join(ROOT, "build/arm64/apps", name, name)
    pattern = re.compile(".*?".join(wanted), re.S)
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as directory:
        domain = board.Domain("app", image, memory, bootargs, properties=["vpl011"])
        command = board.qemu_command(directory, hypervisor or board.stock_xen(), [domain])
        text, found = board.run_until(command, pattern.search, SECONDS)
    return found, f"{name} {bootargs}: shows {wanted[-1]}", text


def main():
    """Run all cases, or those whose name is given."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--on", metavar="HYPERVISOR", help="image of the hypervisor")
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    cases = [c for c in CASES if not given.names or c[0] in given.names]
    if given.on:  # what the attack on the tables must meet there is the seal's own test
        cases = [c for c in cases if "tables" not in c[1]]
    print(f"1..{len(cases)}", flush=True)
    failed = 0
    where = os.path.basename(given.on) if given.on else "stock Xen"
    for number, case in enumerate(cases, 1):
        passed, what, text = check(case, given.on)
        print(f"{'ok' if passed else 'not ok'} {number} - {where}: {what}", flush=True)
        if not passed:
            failed += 1
            print("".join(f"# {line}\n" for line in text.split("\n")[-40:]), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
