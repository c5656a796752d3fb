#!/usr/bin/env python3
"""One board, many domains with a mistake each, and one that has none.

On the real thing: each mistake is one line that names node and property, the
good domain runs, and nothing else is said about the others. All are in one
tree, so it takes one boot.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "guest"))
import board as guests  # noqa: E402
sys.path.insert(0, HERE)

KERNEL = guests.MODULE_BASE  # that of the good domain, which comes first
GOOD = 'memory = <0 65536>; cpus = <1>;'


def module(kind="kernel", address=KERNEL, size=0x10000, more=""):
    """A module's node."""
    return (f'module-{kind}@{address:x} {{ compatible = "multiboot,{kind}", "multiboot,module"; '
            f'reg = <0x0 {address:#x} 0x0 {size:#x}>; {more} }};')


KERNEL_ITSELF = "/* the good domain's module */"

# node: (what is in it, what must be said of it)
MISTAKES = {
    "no-memory": ("cpus = <1>;", "memory is missing"),
    "too-much": ("memory = <0 8388608>; cpus = <1>;", "memory is 8192 MiB, but"),
    "tiny": ("memory = <0 64>; cpus = <1>;", "memory of 64 KiB is too little"),
    "no-cpus": ("memory = <0 65536>;", "cpus must be one cell"),
    "many-cpus": ("memory = <0 65536>; cpus = <1000>;", "cpus must be one cell"),
    "unknown": (GOOD + "bulkhead,colour = <1>;", "bulkhead,colour is not a property"),
    "same-name": (GOOD + 'bulkhead,name = "smoke";', "bulkhead,name smoke is already the name of"),
    "bad-name": (GOOD + 'bulkhead,name = "a b";', "bulkhead,name must be"),
    "far-pin": (GOOD + "bulkhead,pin = <0 0x100>;", "bulkhead,pin entry 0, 0x100, has none"),
    "half-rt": (GOOD + "bulkhead,budget-us = <10>;", "bulkhead,budget-us and"),
    "much-rt": (GOOD.replace("cpus = <1>", "cpus = <2>") + "bulkhead,pin = <0 2>;"
                "bulkhead,budget-us = <48>; bulkhead,period-us = <100>;",
                "bulkhead,budget-us asks for more than a CPU has left"),
    "bad-policy": (GOOD + 'bulkhead,on-crash = "burn";', "bulkhead,on-crash must be"),
    "bad-right": (GOOD + 'bulkhead,rights = "everything";', 'bulkhead,rights entry "everything"'),
    "static-far": (GOOD + "xen,static-mem = <0x70 0 0 0x4000000>;", "is not in the board's RAM"),
    "static-clash": (GOOD + f"xen,static-mem = <0 {KERNEL:#x} 0 0x4000000>;",
                     "overlaps multiboot,kernel of domain 1"),
}
# The same with modules of their own: node: (modules, what must be said)
MODULE_MISTAKES = {
    "no-kernel": ("", 'finds no child node with "multiboot,kernel"'),
    "not-a-kernel": (module(address=0x58000000), "multiboot,kernel at 0x58000000 begins with zeros"),
    "outside": (module(address=0x20000000), "multiboot,kernel at 0x20000000, 0x10000 bytes, is not in"),
    "overlap": (module(address=KERNEL + 0x1000), "overlaps multiboot,kernel of domain 1"),
    "on-top": (module(address=0x40200000), "overlaps the hypervisor"),
    "two-kernels": (module() + module(address=0x58000000), "is the second module of its kind"),
    "bad-reg": (module().replace("reg = <0x0", "reg = <"), "needs a reg of"),
    "no-partial": (KERNEL_ITSELF + module("device-tree", 0x58100000), "is not a device tree"),
    "evtchn": (module() + 'ec { compatible = "xen,evtchn-v1"; };', "is a static event channel"),
}


class Node:
    """A xen,domain node with a mistake, in the place of a guests.Domain."""

    share_module = False  # as guests.Domain's

    def __init__(self, name, properties, modules):
        self.name, self.properties, self.modules = name, properties, modules

    def node(self, _index, address):
        """As guests.Domain.node()."""
        return (f'{self.name} {{ compatible = "xen,domain"; #address-cells = <2>; '
                f"#size-cells = <2>; {self.properties}\n{self.modules} }};\n"), [], address


def main():
    """One boot; one TAP result for each mistake, and three for all."""
    size = os.path.getsize(os.path.join(guests.IMAGES, "smoke"))
    kernel = module(size=size)
    # The good domain's name is not its node's; those with mistakes use its kernel, as they may.
    good = guests.Domain("smoke", memory=128, enhanced=None, extra='bulkhead,name = "smoke";')
    nodes = [Node(name, text, kernel) for name, (text, _) in MISTAKES.items()]
    nodes += [Node(name, GOOD, text.replace(KERNEL_ITSELF, kernel)) for name, (text, _) in MODULE_MISTAKES.items()]
    words = {name: said for name, (_, said) in (MISTAKES | MODULE_MISTAKES).items()}
    transcript = guests.boot("bulkhead", [good] + nodes, guests.Board(cpus=2, icount=False),
                             timeout=120, wait_for=["smoke"])
    print(f"1..{len(words) + 3}")
    number = 0

    def result(right, text, lines=()):
        nonlocal number
        number += 1
        print(f"{'ok' if right else 'not ok'} {number} - {text}")
        for line in () if right else lines:
            print(f"# {line}")
        return right

    all_good = True
    for name, said in words.items():
        lines = [line for line in transcript.raw if f"/chosen/{name}:" in line]
        all_good &= result(len(lines) == 1 and said in lines[0] and
                           "This domain is not started." in lines[0],
                           f"{name}: one line that says \"{said}\"", lines or ["nothing was said"])
    results = transcript.results("smoke")
    all_good &= result(transcript.plan("smoke") is not None and all(ok for ok, _ in results),
                       f"the domain without a mistake runs ({len(results)} results)",
                       transcript.raw[-20:])
    all_good &= result(len([n for n in transcript.raw if "is not started" in n]) == len(words),
                       "nothing else is said to be left out")
    all_good &= result(max((len(n) for n in transcript.raw if "is not started" in n), default=0) < 260,
                       "the lines are short enough to read")
    return 0 if all_good else 1


if __name__ == "__main__":
    sys.exit(main())
