#!/usr/bin/env python3
"""Boot unikernels without a control domain, all at once, and check what each says. TAP.

  xen_boot.py [--on HYPERVISOR] [NAME...]    stock Xen 4.17, or the image given
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "app"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import board

SECONDS = 300  # of wall time; all take 6 on an idle machine

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
    ("attacker", "-- null", 5120, [r"CRASH: access to memory", r"read of address 0x8",
                                   r"backtrace of image", r"at image\+0x"]),
    ("attacker", "-- memory", 5120, [r"out of memory: \d+ KiB asked for, \d+ of \d+ in use",
                                     r"malloc\(\) says", r"ended with status 1"]),
    ("web", "", 5120, [r"network: no device/vif", r"needs a network device and this domain has none"]),
    ("sqlite", "", 16384, [r"disk: no device/vbd", r"needs a disk at /data and has none"]),
    ("attacker", "-- exit", 5120, [r"the program ended with status 3"]),
    ("posix", "", 8192, [r"1\.\.\d+", r"all \d+ passed"]),
]


# Tests that others wrote for what we run: built for nightly only (tests/libos/suites.py).
SUITES = [
    ("lighttpd-check", "", 12288, [r"ok 1 - ", r"ok 2 - ", r"ok 3 - ", r"all 3 passed"]),
    ("sqlite-check", "", 49152, [r"Verification Hash: \d+ [0-9a-f]+"]),
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


def words_of(number, text):
    """What domain `number` (from 0) said, and what the hypervisor said of it.

    Stock Xen puts `(XEN) DOM1: ` before each line, Bulkhead `(domain-app0) `, except for the domain on
    the screen, which is the first; what it redraws begins with "erase line".
    """
    said = []
    for line in text.split("\n"):
        line = line[line.rfind("\x1b[2K") + 4:] if "\x1b[2K" in line else line
        found = re.match(r"(?:\[[ \d.]+\] )?(?:\(XEN\) DOM(\d+): |\(domain-app(\d+)\) )(.*)", line)
        if not found:
            owner = 0
        else:
            owner = int(found[1]) - 1 if found[1] else int(found[2])
        if owner == number:
            said.append(found[3] if found else line)
    return "\n".join(said)


def boot(cases, hypervisor):
    """All cases at once, a domain each; [what it said, or None if it is not what is wanted]."""
    patterns = [re.compile(".*?".join(wanted), re.S) for _, _, _, wanted in cases]
    left = set(range(len(cases)))

    def done(text):
        # Without line ends: on a busy machine a line comes in two pieces, each shown behind the domain's name.
        left.difference_update([n for n in left if patterns[n].search(words_of(n, text).replace("\n", ""))])
        return not left

    with tempfile.TemporaryDirectory(prefix="bulkhead-") as directory:
        domains = [board.Domain(f"app{n}", os.path.join(ROOT, "build/arm64/apps", name, name), memory,
                                bootargs, properties=["vpl011"])
                   for n, (name, bootargs, memory, _) in enumerate(cases)]
        command = board.qemu_command(directory, hypervisor or board.stock_xen(), domains)
        text, _ = board.run_until(command, done, SECONDS)
    return left, text


def decoded(said):
    """Does `bulkhead app decode` find main() in a crash report?"""
    result = subprocess.run([sys.executable, os.path.join(ROOT, "tools/app/app.py"), "decode", "attacker"],
                            input=said.encode(), stdout=subprocess.PIPE, check=False)
    return result.returncode == 0 and re.search(rb"\bmain\b", result.stdout)


def main():
    """Run all cases, or those whose name is given."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--on", metavar="HYPERVISOR", help="image of the hypervisor")
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    cases = [c for c in CASES + (OURS if given.on else STOCK)
             if not given.names or c[0] in given.names]
    plan = len(cases) + any(case[1] == "-- null" for case in cases)
    print(f"1..{plan}", flush=True)
    where = os.path.basename(given.on) if given.on else "stock Xen"
    failed, text = boot(cases, given.on)
    for number, (name, bootargs, _, wanted) in enumerate(cases):
        print(f"{'not ok' if number in failed else 'ok'} {number + 1} - {where}: {name} {bootargs}: "
              f"shows {wanted[-1]}", flush=True)
        if number in failed:
            print("".join(f"# {line}\n" for line in words_of(number, text).split("\n")[-40:]), flush=True)
    if len(cases) == plan:
        return 1 if failed else 0
    null = next(n for n, case in enumerate(cases) if case[1] == "-- null")
    good = decoded(words_of(null, text))
    print(f"{'ok' if good else 'not ok'} {plan} - {where}: attacker -- null: decoded offline, to the function", flush=True)
    return 1 if failed or not good else 0


if __name__ == "__main__":
    sys.exit(main())
