#!/usr/bin/env python3
"""Faults from below: boards and trees that are wrong. TAP on stdout.

Each case is a board as QEMU makes it with one thing spoilt. Right: a line that names the fault,
and, where the rest of the machine can run, the guest beside it finishes. Wrong: silence.
"""
import os
import re
import sys
import tempfile

import board as guests
from density import Console

SMOKE = guests.Domain("smoke", memory=16)


def chosen(text):
    """An edit that adds `text` to the tree's root."""
    return lambda source: source + f"/ {{ {text} }};\n"


def without(pattern):
    """An edit that takes out what matches."""
    return lambda source: re.sub(pattern, "", source, flags=re.S)


ABSENT_CPU = ('cpus { cpu@77 { device_type = "cpu"; compatible = "arm,cortex-a72"; reg = <0x77>; '
              'enable-method = "psci"; }; };')
FINISHED = r"smoke: 1\.\.\d+"
# name, MiB of RAM, edit of the tree's source, lines that must come in any order
CASES = (
    ("as it should be", 512, None, [r"CPUs run", FINISHED]),
    ("an alias that names itself is stdout-path", 512,
     chosen('aliases { a = "a"; }; chosen { stdout-path = "a"; };'), [FINISHED]),
    ("stdout-path names nothing", 512, chosen('chosen { stdout-path = "/none"; };'), [FINISHED]),
    ("a CPU that is not there", 512, chosen(ABSENT_CPU), [r"warning: .*CPU.*77", FINISHED]),
    ("a module overlaps the hypervisor", 512,
     lambda source: source.replace("module@50000000", "module@40200000").replace(
         "<0x0 0x50000000", "<0x0 0x40200000"), [r"warning: .*multiboot,kernel"]),
    ("a module lies outside RAM", 512,
     lambda source: source.replace("<0x0 0x50000000", "<0x7 0x50000000"),
     [r"warning: .*multiboot,kernel"]),
    ("more memory asked than there is", 512,
     lambda source: source.replace("memory = <0x0 0x4000>", "memory = <0x0 0x400000>"),
     [r"warning: .*memory is 4096 MiB, but"]),
    ("a board of 24 MiB", 24, lambda source: source.replace("0x50000000", "0x40a00000").replace(
        "memory = <0x0 0x4000>", "memory = <0x0 0x2000>"), [r"smoke: 1\.\.|warning: .*memory"]),
    ("a tree without memory", 512, without(r"\tmemory@.*?\};\n"), [r"(?i)memory"]),
    ("a tree without an interrupt controller", 512, without(r"\tintc@.*?\n\t\};\n"),
     [r"(?i)interrupt controller"]),
    ("a tree without CPUs", 512, without(r"\tcpus \{.*?\n\t\};\n"), [r"(?i)cpu"]),
)


def machine(directory, memory, edit, spoil=None):
    """QEMU's command line for a spoilt board."""
    board = guests.Board(cpus=2, memory=memory, icount=False)
    words = guests.command("bulkhead", board, [SMOKE], directory, edit=edit)
    if memory < 64:
        words = [w.replace("addr=0x50000000", "addr=0x40a00000") for w in words]
    if spoil:
        path = os.path.join(directory, "tree.dtb")
        with open(path, "rb") as tree:
            data = spoil(tree.read())
        with open(path, "wb") as tree:
            tree.write(data)
    return words


def say_all(words, patterns):
    """(patterns that did not come, what did) on a board; ends it as soon as all have come."""
    console = Console(words)
    seen = ""
    try:
        while patterns:
            text = console.until(r"\n", 8)
            if text is None:
                break
            seen += text
            patterns = [p for p in patterns if not re.search(p, seen)]
    finally:
        console.close()
    return patterns, seen + console.text


def flood():
    """Keys without end at the serial line: the board's own interrupt in a storm."""
    with tempfile.TemporaryDirectory(prefix="bulkhead-below-") as directory:
        guest = guests.Domain("neighbour", memory=16, bootargs="slices=20 us=20000")
        board = guests.Board(cpus=1, memory=512, icount=False)
        console = Console(guests.command("bulkhead", board, [guest], directory))
        try:
            good = console.until(r"\d CPUs? run", 20) is not None
            os.set_blocking(console.process.stdin.fileno(), False)
            for _ in range(40):
                try:
                    console.process.stdin.raw.write(b"x" * 4096)
                except (BlockingIOError, AttributeError):
                    pass
            text = console.until(r"neighbour: 1\.\.\d+", 40)
            return good and text is not None and "not ok" not in text, console.text
        finally:
            console.close()


def main():
    """One result per case."""
    count = failed = 0
    for name, memory, edit, patterns in CASES:
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        with tempfile.TemporaryDirectory(prefix="bulkhead-below-") as directory:
            missing, seen = say_all(machine(directory, memory, edit), list(patterns))
        count += 1
        failed += bool(missing)
        print(f"{'not ok' if missing else 'ok'} - {name}", flush=True)
        if missing or "-v" in sys.argv:
            print("".join(f"# {line}\n" for line in (missing + seen.splitlines()[-12:])), end="")
    if len(sys.argv) == 1:
        good, seen = flood()
        count += 1
        failed += not good
        print(f"{'ok' if good else 'not ok'} - a storm of keys at the serial line")
        if not good:
            print("".join(f"# {line}\n" for line in seen.splitlines()[-12:]), end="")
    print(f"1..{count}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
