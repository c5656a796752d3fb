#!/usr/bin/env python3
"""An SError from the machine while a guest runs: it is the guest's, and the hypervisor says so. Prints TAP.

QEMU has no source of physical SErrors. So its debugger port does what the CPU would do
(DDI 0487I.a, AArch64.TakePhysicalSErrorException): it stops the CPU where a trap of the guest has
just entered EL2, writes the syndrome, takes the program counter back to the instruction before
which the SError is taken, and goes on at the SError's vector.
"""
import os
import re
import subprocess
import sys
import tempfile

from el2 import Debugger, symbols
from board import Board, Domain, command, dies_with_parent

LOAD_ADDRESS, IMAGE_BASE = 0x40200000, 0x7f8000000000
SYNC, SERROR = 0x400, 0x580  # vectors of exceptions from a lower EL (DDI 0487I.a D1.4.2)
PC = 32
EC_HVC64, HYPERCALL = 0x16, 0xea1
SYNDROME = 0x2f << 26 | 1 << 25  # SError, IL; ISS 0: uncategorised
WRITE_ESR, WRITE_ELR = 0xd51c5200, 0xd51c4021  # msr esr_el2, x0; msr elr_el2, x1


class Machine(Debugger):
    """A stopped machine of one CPU that can be made to go on."""

    def go(self, how):
        """Step ("s") or continue ("c") until it stops."""
        self.socket.sendall(f"${how}#{sum(how.encode()) % 256:02x}".encode())
        data = b""
        while not re.search(rb"\$T[^#]*#..", data):
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("QEMU closed the debugger's line")
            data += more
        self.socket.sendall(b"+")

    def run(self):
        """Continue; nobody waits for a stop."""
        self.socket.sendall(b"$c#63")

    def stop(self):
        """Break in."""
        self.socket.sendall(b"\x03")
        self.go("")

    def get(self, number):
        """A general register."""
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")

    def put(self, number, value):
        """Write one."""
        if self.ask(f"P{number:x}={value.to_bytes(8, 'little').hex()}") != "OK":
            raise OSError(f"the debugger refused register {number}")

    def execute(self, at, words, values):
        """At EL2, with x0, x1, ... as given: instructions put in the place of those at `at` for a moment."""
        physical = at - IMAGE_BASE + LOAD_ADDRESS
        before = self.ask(f"m{physical:x},{4 * len(words):x}")
        kept = [self.get(n) for n in range(len(values))]
        self.ask(f"M{physical:x},{4 * len(words):x}:" + b"".join(w.to_bytes(4, "little") for w in words).hex())
        for number, value in enumerate(values):
            self.put(number, value)
        self.put(PC, at)
        for _ in words:
            self.go("s")
        self.ask(f"M{physical:x},{len(before) // 2:x}:{before}")
        for number, value in enumerate(kept):
            self.put(number, value)

    def raise_serror(self, vectors):
        """Before the next hypercall of the guest."""
        self.ask(f"Z1,{vectors + SYNC:x},4")
        syndrome = 0
        while syndrome >> 26 != EC_HVC64 or syndrome & 0xffff != HYPERCALL:
            self.go("c")
            syndrome = self.register(0, "ESR_EL2")
        self.ask(f"z1,{vectors + SYNC:x},4")
        call = self.register(0, "ELR_EL2") - 4
        self.execute(vectors + SYNC, (WRITE_ESR, WRITE_ELR), (SYNDROME, call))
        self.put(PC, vectors + SERROR)


def story(process, port):
    """Lines of the console, as they come; an SError each time the guest says that it is ready."""
    machine, vectors = None, symbols()["vectors"]
    for raw in process.stdout:
        line = raw.decode("latin-1").strip()
        yield line
        if re.search(r"serror: calls", line):
            if machine is None:
                machine = Machine(port)
            else:
                machine.stop()
            machine.raise_serror(vectors)
            machine.run()
        if re.search(r"serror: 1\.\.\d+$", line):
            return


def main():
    """Boot, raise, judge."""
    with tempfile.TemporaryDirectory(prefix="bulkhead-serror-") as directory:
        port = os.path.join(directory, "gdb")
        words = command("bulkhead", Board(cpus=1, memory=512, icount=False), [Domain("serror", memory=16)],
                        directory) + ["-gdb", f"unix:{port},server=on,wait=off"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              preexec_fn=dies_with_parent) as process:
            try:
                lines = list(story(process, port))
            finally:
                process.kill()
    results = [(m[1] is None, m[2]) for line in lines
               if (m := re.search(r"serror: (not )?ok \d+ - (.*)$", line))]
    told = sum("SError from the machine, syndrome 0xbe000000" in line for line in lines)
    results.append((told == 2, "the hypervisor says of each that it was passed on"))
    print(f"1..{len(results)}")
    for number, (good, text) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - SError: {text}")
    good = len(results) == 8 and all(good for good, _ in results)
    if not good:
        print("\n".join("# " + line for line in lines[-25:]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
