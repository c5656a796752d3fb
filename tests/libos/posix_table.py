#!/usr/bin/env python3
"""docs/libos-posix.md must list exactly the system calls of libos/core/syscalls.list. TAP.

With --write, write the document from the list and the notes below.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "app"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import scan

DOCUMENT = os.path.join(ROOT, "docs/libos-posix.md")

# number: (what differs from Linux, where it is tested besides apps/posix)
NOTES = {
    17: "always `/`", 19: "", 29: "FIONBIO, FIONREAD on sockets; else ENOTTY",
    22: "readiness is asked when needed, not queued; EPOLLET reports changes of readiness",
    25: "locks always succeed: one process", 32: "always succeeds",
    35: "ENOTEMPTY for directories with entries", 46: "disk only",
    49: "only `/`", 52: "accepted, not kept", 53: "accepted, not kept", 54: "accepted, not kept",
    55: "accepted, not kept", 59: "4 KiB", 71: "from the image without copying",
    78: "EINVAL: there are no symbolic links", 82: "commits the whole file system",
    83: "as fsync", 88: "accepted, not kept", 93: "of the last thread: ends the program",
    94: "status 0 is a power-off, others a crash with a line on the console",
    98: "WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAIT_BITSET; else ENOSYS", 99: "accepted",
    119: "ENOSYS", 123: "CPU 0", 129: "to itself only; see signals", 130: "see signals",
    131: "see signals", 134: "kept, never delivered, but SIG_IGN and SIG_DFL decide raise()",
    135: "accepted: nothing is delivered", 146: "0 only", 144: "0 only",
    158: "none", 163: "as prlimit64", 165: "elapsed time; peak memory of the domain",
    166: "always 022", 167: "EINVAL", 172: "1", 173: "0", 174: "0", 175: "0", 176: "0", 177: "0",
    198: "AF_INET, AF_INET6; STREAM, DGRAM", 199: "EOPNOTSUPP",
    208: "unknown options of known levels are accepted", 214: "no break: memory comes from mmap",
    216: "no MREMAP_FIXED", 220: "threads only; without CLONE_VM and CLONE_THREAD ENOSYS",
    221: "ENOSYS", 222: "PROT_EXEC is EACCES; shared writable files ENODEV; files are copied in",
    226: "PROT_EXEC is EACCES", 233: "DONTNEED zeroes; else accepted", 260: "ENOSYS",
    261: "limits are reported, not set", 276: "no directories", 278: "see the boot log for the seed",
    283: "accepted: one CPU",
}
GROUPS = {"apps/posix": set(range(0, 600)),
          "apps/web, tests/libos/tap.py": {20, 21, 22, 71, 72, 73} | set(range(198, 213)) | {242},
          "apps/sqlite, test_slate.c": {34, 35, 46, 48, 52, 55, 67, 68, 69, 70, 82, 83, 276}}

HEAD = """# System calls of the library OS

Numbers and names are Linux/arm64's. An image holds only those its program can reach; a call not listed here returns
-ENOSYS and is named once on the console. *Differs* says what is not as on Linux.

What cannot be: **fork, exec, other processes; delivered signals; preemption; executable mappings.** Pointers are not checked:
a bad one ends the program with a crash report. Files: the archive in the image is read-only (EROFS); `/dev` has `null`, `random`,
`urandom`; the disk holds 128 files of 20 pieces each at most, names up to 71 bytes, no links.

"""


def document(known):
    """The text of the document."""
    lines = ["| number | call | differs | tested in |", "|---|---|---|---|"]
    for number, (name, _) in sorted(known.items()):
        where = [g for g, numbers in GROUPS.items() if number in numbers][-1]
        lines.append(f"| {number} | {name} | {NOTES.get(number, '')} | {where} |")
    return HEAD + "\n".join(lines) + "\n"


def main():
    """Check, or write."""
    known = scan.read_list(os.path.join(ROOT, "libos/core/syscalls.list"))
    if "--write" in sys.argv:
        with open(DOCUMENT, "w", encoding="utf-8") as file:
            file.write(document(known))
        return 0
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    listed = set(re.findall(r"^\| (\d+) \| (\w+) \|", text, re.M))
    wanted = {(str(n), name) for n, (name, _) in known.items()}
    print("1..1")
    print(f"{'ok' if listed == wanted else 'not ok'} 1 - docs/libos-posix.md lists all "
          f"{len(wanted)} system calls" + (f": {sorted(listed ^ wanted)}" if listed != wanted
                                           else ""))
    return 0 if listed == wanted else 1


if __name__ == "__main__":
    sys.exit(main())
