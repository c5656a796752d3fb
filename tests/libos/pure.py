#!/usr/bin/env python3
"""What the library OS takes from musl must not touch SIMD registers. TAP.

musl's inline system calls tell the compiler that only x0 changes. Our own code is compiled with
-mgeneral-regs-only; this looks at the machine code of every function of libc.a that
libos.a and net.a refer to, and of what those call in turn.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBOS = os.path.join(ROOT, "build/arm64/libos")
LIBC = os.path.join(LIBOS, "musl/usr/lib/aarch64-linux-musl/libc.a")
# Called once, before or at the end of all system calls.
ALLOWED = {"__libc_start_main", "main"}
SIMD = re.compile(r"\t(?:[^\t]*\t)?.*\b[qvdsbh]\d+(?:\.\d*[bhsd])?[,\s\]\[}]")


def output(*command):
    """Standard output of a command."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout.decode()


def undefined(archive):
    """Symbols an archive leaves open."""
    lines = output("aarch64-linux-gnu-nm", "-u", archive).split("\n")
    return {line.split()[1] for line in lines if line.strip().startswith("U ")}


def library_code():
    """{function: (uses SIMD, {functions it calls})} of libc.a."""
    code, name = {}, None
    for line in output("aarch64-linux-gnu-objdump", "-dr", LIBC).split("\n"):
        if match := re.match(r"^[0-9a-f]+ <(.+)>:$", line):
            name = match[1]
            code.setdefault(name, [False, set()])
        elif match := re.search(r"R_AARCH64_(?:CALL26|JUMP26)\t(\S+)", line):
            code[name][1].add(match[1])
        elif re.match(r"^\s+[0-9a-f]+:\t[0-9a-f]{8} ", line):
            operands = line.split("\t", 3)[3] if line.count("\t") >= 3 else ""
            if re.search(r"\b[qvds]\d+\b", operands.split("//")[0]):
                code[name][0] = True
    return code


def main():
    """One result."""
    code = library_code()
    wanted = (undefined(os.path.join(LIBOS, "libos.a"))
              | undefined(os.path.join(LIBOS, "net.a"))) & set(code) - ALLOWED
    guilty, seen, work = [], set(), sorted(wanted)
    while work:
        name = work.pop()
        if name in seen or name not in code:
            continue
        seen.add(name)
        if code[name][0]:
            guilty.append(name)
        work += sorted(code[name][1])
    # The check must be able to fire: musl's memset is written with SIMD registers.
    print("1..2")
    print(f"{'ok' if code['memset'][0] else 'not ok'} 1 - the check sees SIMD in musl's memset")
    print(f"{'not ok' if guilty else 'ok'} 2 - {len(seen)} functions taken from musl use general "
          f"registers only{': not ' + ', '.join(guilty) if guilty else ''}")
    return 1 if guilty else 0


if __name__ == "__main__":
    sys.exit(main())
