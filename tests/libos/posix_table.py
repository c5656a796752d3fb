#!/usr/bin/env python3
"""docs/libos-posix.md must list the system calls of libos/core/syscalls.list, and each must have a test. TAP.

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
    35: "ENOTEMPTY for directories with entries; of a file that is open the content is gone too (EIO)", 46: "disk only",
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
    261: "limits are reported, not set", 38: "no directories", 276: "no directories", 278: "see the boot log for the seed",
    283: "accepted: one CPU",
}
SOURCES = ("posix", "posix-io")


def tested():
    """{call: the apps that test it}: results are named after calls, `openat: ...` or `epoll_create1, epoll_ctl: ...`."""
    found = {"exit_group": {"apps/attacker (tests/libos/xen_boot.py)"}}
    for app in SOURCES:
        folder = os.path.join(ROOT, "apps", app)
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = re.sub(r'"\s*\n\s*"', "", file.read())
            for names in re.findall(r'"((?:[a-z0-9_]+, )*[a-z0-9_]+): ', text) + re.findall(r'; ([a-z0-9_]+): ', text):
                for call in names.split(", "):
                    found.setdefault(call, set()).add(f"apps/{app}")
    return found


HEAD = """# System calls of the library OS

Numbers and names are Linux/arm64's. An image holds only those its program can reach; a call not listed here returns
-ENOSYS and is named once on the console. *Differs* says what is not as on Linux.

What cannot be: **fork, exec, other processes; delivered signals; preemption; executable mappings.** Pointers are not checked:
a bad one ends the program with a crash report. Files: the archive in the image is read-only (EROFS); `/dev` has `null`, `random`,
`urandom`; the disk holds 128 files of 20 pieces each at most, names up to 71 bytes, no links. `/etc/resolv.conf`, for the C library's
getaddrinfo() and gethostbyname(), is made of what DHCP and `dns=` say (apps/lookup; libos.md, Names).

"""


def document(known):
    """The text of the document."""
    where = tested()
    lines = ["| number | call | differs | tested in |", "|---|---|---|---|"]
    for number, (name, _) in sorted(known.items()):
        apps = ", ".join(sorted(where.get(name, ())))
        lines.append(f"| {number} | {name} | {NOTES.get(number, '')} | {apps} |")
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
    untested = sorted({name for _, name in wanted} - set(tested()))
    print("1..2")
    print(f"{'ok' if listed == wanted else 'not ok'} 1 - docs/libos-posix.md lists all "
          f"{len(wanted)} system calls" + (f": {sorted(listed ^ wanted)}" if listed != wanted
                                           else ""))
    print(f"{'not ok' if untested else 'ok'} 2 - each has a test of its name in {' or '.join(SOURCES)} {untested or ''}")
    return 0 if listed == wanted and not untested else 1


if __name__ == "__main__":
    sys.exit(main())
