#!/usr/bin/env python3
"""What EL2 looks like once it runs: seen from outside, through QEMU's debugger port.

Every CPU has MMU, caches and WXN on; no page that EL2 can write is executable; its code is read-only;
boot code and boot data are gone; each CPU's stack has unmapped memory below it. Prints TAP.
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "guest"))
from board import TOP, Board, Domain, command, dies_with_parent  # noqa: E402

CPUS = 4
STACKS, SLOT, STACK = 0x7f0000000000, 0x10000, 0x4000  # hyp/arch/arm64/include/arch/layout.h
SCTLR_M, SCTLR_C, SCTLR_I, SCTLR_WXN = 1 << 0, 1 << 2, 1 << 12, 1 << 19
XN, READ_ONLY = 1 << 54, 1 << 7  # DDI 0487I.a D8.3.1: UXN/XN and AP[2] of an EL2 descriptor


class Debugger:
    """As much of GDB's remote protocol as reads registers and physical memory."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.ask("qSupported")
        self.ask("Qqemu.PhyMemMode:1")
        xml = self.read_xml("target.xml")
        for name in re.findall(r'href="([^"]+)"', xml):
            xml += self.read_xml(name)
        self.numbers = {m[1]: int(m[2]) for m in
                        re.finditer(r'<reg name="(\w+)"[^>]*regnum="(\d+)"', xml)}

    def ask(self, text):
        """One packet, and its answer. That the machine has stopped is told when it has, maybe in between."""
        self.socket.sendall(f"${text}#{sum(text.encode()) % 256:02x}".encode())
        data, packet = b"", re.compile(rb"\$(?!T)([^#]*)#..", re.S)
        while not packet.search(data):
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("QEMU closed the debugger's line")
            data += more
        self.socket.sendall(b"+")
        body = packet.search(data)[1]
        return re.sub(rb"}(.)", lambda m: bytes([m[1][0] ^ 0x20]), body, flags=re.S).decode("latin-1")

    def read_xml(self, name):
        """A description of registers, in its pieces."""
        text, more = "", "m"
        while more == "m":
            answer = self.ask(f"qXfer:features:read:{name}:{len(text):x},7f0")
            more, text = answer[0], text + answer[1:]
        return text

    def register(self, cpu, name):
        """A system register of one CPU."""
        self.ask(f"Hgp01.{cpu + 1:02x}")
        return int.from_bytes(bytes.fromhex(self.ask(f"p{self.numbers[name]:x}")), "little")

    def page(self, address):
        """512 descriptors at a machine address."""
        data = b"".join(bytes.fromhex(self.ask(f"m{address + at:x},400")) for at in range(0, 4096, 0x400))
        return [int.from_bytes(data[i:i + 8], "little") for i in range(0, 4096, 8)]


def leaves(debugger, table, level=0, base=0):
    """(address, size, descriptor) of everything that is mapped below a table."""
    for index, entry in enumerate(debugger.page(table)):
        size = 1 << (39 - 9 * level)
        at = base + index * size
        if not entry & 1:
            continue
        if level < 3 and entry & 2:
            yield from leaves(debugger, entry & 0xfffffffff000, level + 1, at)
        else:
            yield at, size, entry


def symbols():
    """Addresses of the image's sections."""
    text = subprocess.run(["aarch64-linux-gnu-nm", os.path.join(TOP, "build/arm64/bulkhead.elf")],
                          check=True, stdout=subprocess.PIPE).stdout.decode()
    return {name: int(address, 16) for address, _, name in
            (line.split() for line in text.splitlines() if len(line.split()) == 3)}


def judge(debugger):
    """[(good, text, what was seen)]."""
    wanted = SCTLR_M | SCTLR_C | SCTLR_I | SCTLR_WXN
    control = [debugger.register(cpu, "SCTLR_EL2") for cpu in range(CPUS)]
    roots = {debugger.register(cpu, "TTBR0_EL2") & 0xfffffffff000 for cpu in range(CPUS)}
    pages = list(leaves(debugger, min(roots)))
    where = symbols()
    both = [p for p in pages if not p[2] & XN and not p[2] & READ_ONLY]
    code = [p for p in pages if not p[2] & XN]
    outside = [p for p in code if not where["image_start"] <= p[0] < where["rodata_start"]]
    boot = [p for p in pages if where["init_text_start"] <= p[0] < where["data_start"]]
    stack = {p[0] for p in pages if STACKS <= p[0] < STACKS + CPUS * SLOT}
    right = {STACKS + cpu * SLOT + at for cpu in range(CPUS) for at in range(SLOT - STACK, SLOT, 4096)}
    low = [p for p in pages if p[0] < STACKS]

    def shown(some):
        return [f"{at:#x}+{size:#x} {entry:#x}" for at, size, entry in some[:4]]

    return [(all(value & wanted == wanted for value in control),
             "every CPU has MMU, caches and WXN on", [hex(value) for value in control]),
            (len(roots) == 1 and len(pages) > 20, "all CPUs share one set of tables", roots),
            (not both, "nothing is writable and executable", shown(both)),
            (code and not outside, "only the image's text is executable", shown(outside)),
            (not boot, "boot code and boot data are given back", shown(boot)),
            (not low, "the boot's identity map is gone", shown(low)),
            (stack == right, "each CPU's stack is 16 KiB with a guard below", sorted(map(hex, stack ^ right))[:6])]


def main():
    """Boot, stop, look."""
    with tempfile.TemporaryDirectory(prefix="bulkhead-el2-") as directory:
        port = os.path.join(directory, "gdb")
        words = command("bulkhead", Board(cpus=CPUS, memory=1024, icount=False), [Domain("idle")],
                        directory) + ["-gdb", f"unix:{port},server=on,wait=off"]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, preexec_fn=dies_with_parent)
        try:
            for line in process.stdout:
                if b"idle: waiting" in line:
                    break
            time.sleep(1)  # every CPU is in its idle loop, not in its first instructions
            results = judge(Debugger(port))
        finally:
            process.kill()
            process.wait()
    print(f"1..{len(results)}")
    for number, (good, text, seen) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - EL2: {text}")
        if not good:
            print(f"# {seen}")
    return 0 if all(good for good, _, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
