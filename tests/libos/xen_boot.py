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
    ("posix", "", 8192, [r"1\.\.\d+", r"all \d+ passed"]),
]


# Stock Xen neither seals nor gives a seed. Without the seal an attacker who rewrites the tables
# wins: this is why it exists.
STOCK = [
    ("hello", "", 5120, [r"no seed from the hypervisor", r"not sealed: this hypervisor cannot",
                         r"Hello from hello, 0 arguments"]),
] + [("attacker", f"-- {attack}", 5120, [f"{attack}: ", r"the forged code ran and returned 42"])
     for attack in ("registers", "alias", "patch", "exchange")]
OURS = [
    ("hello", "", 1024, [r"sealed: \d+ pages of code", r"sealed: code is read-only",
                         r"Hello from hello, 0 arguments"]),
    ("attacker", "-- registers", 5120, [r"registers: ", r"CRASH: undefined instruction"]),
    ("attacker", "-- alias", 5120, [r"alias: ", r"CRASH: jump to an address that is not code"]),
    ("attacker", "-- patch", 5120, [r"patch: ", r"CRASH: access to memory", r"write of address"]),
    ("attacker", "-- exchange", 5120, [r"exchange: ", r"exchange: refused"]),
]


def check(case, hypervisor):
    """Boot one case; returns (passed, description, console)."""
    name, bootargs, memory, wanted = case
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
    cases = [c for c in CASES + (OURS if given.on else STOCK)
             if not given.names or c[0] in given.names]
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
