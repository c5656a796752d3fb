#!/usr/bin/env python3
"""Trees as people write them for Xen's dom0less boot, on the real thing, unchanged.

One tree with a domain in each form that Xen 4.17's docs/misc/arm/device-tree/booting.txt
describes: cells of one and of two words, all values of xen,enhanced, nr_spis, static memory in its
old and new form, direct-map. Each domain (tests/guest/shape.c) says what it was given. Prints TAP.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "guest"))
import board as guests  # noqa: E402

SIZE = 0x2000000  # of each domain: 32 MiB
PLAIN = f"memory = <0x0 {SIZE >> 10:#x}>; cpus = <1>; vpl011;"

HOST_UART = 0x9000000  # QEMU's virt board

# name: (properties, cells of modules, what it has to say)
FORMS = {
    "plain": (PLAIN, 2, "ram 40000000 uart 22000000 spis 32 xen 0 cpus 1"),
    "one-cell": (f"memory = <{SIZE >> 10:#x}>; cpus = <2>; vpl011;", 1, "ram 40000000 xen 0 cpus 2"),
    "empty": (PLAIN + "xen,enhanced;", 2, "xen 1 store 1"),
    "enabled": (PLAIN + 'xen,enhanced = "enabled";', 2, "xen 1 store 1"),
    "disabled": (PLAIN + 'xen,enhanced = "disabled";', 2, "xen 0 store 0"),
    "no-xenstore": (PLAIN + 'xen,enhanced = "no-xenstore";', 2, "xen 1 store 0"),
    "many-spis": (PLAIN + "nr_spis = <300>;", 2, "spis 320"),
    "static": (PLAIN + f"xen,static-mem = <0x0 0x70000000 0x0 {SIZE:#x}>;", 2, "ram 40000000"),
    "direct": (PLAIN + f"direct-map; xen,static-mem = <0x0 0x72000000 0x0 {SIZE:#x}>;", 2,
               f"ram 72000000 uart {HOST_UART:x}"),
    "old-cells": (PLAIN + "direct-map; #xen,static-mem-address-cells = <1>; "
                  f"#xen,static-mem-size-cells = <1>; xen,static-mem = <0x74000000 {SIZE:#x}>;", 2,
                  "ram 74000000"),
    "anywhere": (PLAIN + "direct-map;", 2, f"uart {HOST_UART:x}"),
}


class Form:
    """A domain of the tree, with the one kernel that all share."""

    kernel = os.path.join(guests.IMAGES, "shape")
    share_module = False  # as guests.Domain's; node() says itself where the one kernel lies

    def __init__(self, name, properties, cells):
        self.name, self.properties, self.cells = name, properties, cells

    def node(self, _index, address):
        """As guests.Domain.node(): the first domain loads the kernel, for all."""
        first, size = self.name == next(iter(FORMS)), os.path.getsize(self.kernel)
        reg = f"0x0 {guests.MODULE_BASE:#x} 0x0 {size:#x}" if self.cells == 2 \
            else f"{guests.MODULE_BASE:#x} {size:#x}"
        text = (f'{self.name} {{ compatible = "xen,domain"; #address-cells = <{self.cells}>; '
                f"#size-cells = <{self.cells}>; {self.properties}\n"
                f'module@{guests.MODULE_BASE:x} {{ compatible = "multiboot,kernel", '
                f'"multiboot,module"; reg = <{reg}>; bootargs = "i am {self.name}"; }}; }};\n')
        return text, [(self.kernel, guests.MODULE_BASE)] if first else [], address


def main():
    """One boot, one result for each form."""
    forms = [Form(name, text, cells) for name, (text, cells, _) in FORMS.items()]
    said, heard, last = {}, {}, next(reversed(FORMS))

    def watch(line):
        # A line that is long in coming is shown in pieces, each behind the name, if its domain is not focused.
        piece = re.match(r"\(([\w-]+)\) (.*)", line.rpartition("\x1b[2K")[2])
        if piece:
            line = heard[piece[1]] = heard.get(piece[1], "") + piece[2]
        # The last one: before it may be a line that is not complete yet, and was taken back for this one.
        match = re.search(r".*shape: (ram .*) args 'i am ([\w-]+)'", line)
        if match:
            said[match[2]] = match[1]
        return len(said) == len(FORMS)

    transcript = guests.boot("bulkhead", forms, guests.Board(cpus=2, icount=False), timeout=120,
                             wait_for=[last], watch=watch)
    print(f"1..{len(FORMS)}")
    good = True
    for number, (name, (_, _, wanted)) in enumerate(FORMS.items(), 1):
        words = said.get(name, "").replace("+", " +").split()
        pairs = dict(zip([w for w in words if not w.startswith("+")][::2],
                         [w for w in words if not w.startswith("+")][1::2]))
        want = wanted.split()
        right = all(pairs.get(key) == value for key, value in zip(want[::2], want[1::2]))
        right = right and f"+{SIZE:x}" in words
        good &= right
        print(f"{'ok' if right else 'not ok'} {number} - dom0less: {name}: {wanted}")
        if not right:
            print(f"# it said: {said.get(name)}")
            for line in [n for n in transcript.raw if name in n][:5]:
                print(f"#   {line}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
