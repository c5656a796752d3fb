"""Say what an image consists of, and why; put names to crash reports."""
import bisect
import json
import os
import re
import sys

import build
import scan
from manifest import Mistake

ARCHIVE_MEMBER = re.compile(r"^(\S*?)([^/\s]+\.a)\(([^)]+)\)$")


def load(manifest):
    """The data of the last build."""
    where = build.directory_of(manifest, "xen")
    try:
        with open(os.path.join(where, "report.json"), encoding="utf-8") as file:
            return where, json.load(file)
    except FileNotFoundError as error:
        raise Mistake(f"{manifest.name} has not been built for xen; run "
                      f"`bulkhead app build -t xen {manifest.name}`") from error


def print_summary(manifest):
    """A few lines after each build."""
    where, data = load(manifest)
    sizes = data["sizes"]
    print(f"{os.path.relpath(os.path.join(where, manifest.name))}: {sizes['image']} bytes "
          f"(text {sizes['text']}, rodata {sizes['rodata']}, data {sizes['data']}, "
          f"relocations {sizes['relocations']}), {sizes['memory'] >> 10} KiB in memory, "
          f"{len(data['calls'])} system calls, id {sizes['id']}")
    if data["refused"]:
        print(f"  calls that will fail with ENOSYS: {describe(data, data['refused'])}")


def describe(data, numbers):
    """Numbers with the functions that make them."""
    return ", ".join(f"{n} ({', '.join(data['calls'][str(n)][:3])})" for n in numbers)


def origin(path):
    """A short name for an object: archive and member, or the file."""
    match = ARCHIVE_MEMBER.match(path)
    return f"{match[2]}({match[3]})" if match else os.path.basename(path)


def sections_of(map_path):
    """Yield (section, size, origin) of everything kept, from the linker's map."""
    with open(map_path, encoding="utf-8") as file:
        text = file.read()
    text = text[text.index("Linker script and memory map"):]
    text = re.sub(r"\n (\.\S+)\n\s+0x", r"\n \1 0x", text)
    for match in re.finditer(r"^ (\.\S+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)$", text, re.M):
        size = int(match[3], 16)
        if size and not match[1].startswith((".debug", ".comment", ".symtab", ".rela")):
            yield match[1], size, match[4]


def pulled(map_path):
    """{member: (by, symbol)}: what made the linker take each archive member."""
    with open(map_path, encoding="utf-8") as file:
        text = file.read()
    head = text[:text.find("Discarded input sections")]
    reasons = {}
    for match in re.finditer(r"^(\S+\.a\(\S+\))\s+(\S+) \((\S+)\)$", head, re.M):
        reasons[origin(match[1])] = (origin(match[2]), match[3])
    return reasons


def group(name):
    """The line of the summary an origin belongs to."""
    if name.startswith("libc.a"):
        return "musl (C library)"
    if name.startswith("libos.a("):
        return "library OS"
    if name.startswith("libgcc.a"):
        return "compiler support"
    if name.startswith(("net.a(", "net4.a(")):
        return "library OS" if name.endswith(".c.o)") else "lwIP (TCP/IP)"
    if ".a(" in name:
        return name.split("(")[0]
    return "archive of files" if name == "archive.o" else "application"


def print_report(manifest, symbols, why):
    """The long answer."""
    where, data = load(manifest)
    map_path = os.path.join(where, "link.map")
    if why:
        print_why(where, manifest, map_path, why)
        return
    print_summary(manifest)
    totals, kept = {}, []
    for section, size, path in sections_of(map_path):
        if section.startswith(".bss"):
            continue
        kept.append((size, section, origin(path)))
        totals[group(origin(path))] = totals.get(group(origin(path)), 0) + size
    print("\nby origin:")
    for name, size in sorted(totals.items(), key=lambda item: -item[1]):
        print(f"  {size:8}  {name}")
    known = scan.read_list(build.SYSCALL_LIST)
    print("\nsystem calls, and the functions that make them:")
    for number, functions in data["calls"].items():
        name = known.get(int(number), ("refused (ENOSYS)",))[0]
        print(f"  {number:>4} {name:18} {', '.join(functions)}")
    reasons = pulled(map_path)
    if symbols:
        print("\nevery piece, largest first:")
        for size, section, name in sorted(kept, reverse=True):
            by = reasons.get(name)
            print(f"  {size:8}  {section:40} {name}" + (f"  for {by[0]} ({by[1]})" if by else ""))


def print_why(where, manifest, map_path, symbol):
    """The chain of first references from the program to the member that defines `symbol`."""
    elf = scan.Elf(os.path.join(where, manifest.name + ".elf"))
    if symbol not in {name for name, *_ in elf.symbols()}:
        print(f"{symbol} is not in the image")
        return
    reasons = pulled(map_path)
    member = next((origin(path) for section, _, path in sections_of(map_path)
                   if section.endswith("." + symbol)), None)
    if member is None:
        member = next((m for m, (_, s) in reasons.items() if s == symbol), None)
    print(f"{symbol} is in {member or 'the application'}")
    while member in reasons:
        by, wanted = reasons[member]
        print(f"  {member} was taken because {by} uses {wanted}")
        member = by


def decode(manifest, log):
    """Copy a console log, adding function and offset to each image+0x... address."""
    where, data = load(manifest)
    table = scan.functions(scan.Elf(os.path.join(where, manifest.name + ".elf")))
    starts = [start for start, _, _ in table]
    with (open(log, encoding="utf-8", errors="replace") if log else sys.stdin) as file:
        for line in file:
            line = line.rstrip("\r\n")
            if match := re.search(r"backtrace of image ([0-9a-f]{16})", line):
                if match[1] != data["sizes"]["id"]:
                    line += "   (ANOTHER BUILD: names below may be wrong)"
            if match := re.search(r"image\+0x([0-9a-f]+)", line):
                at = bisect.bisect_right(starts, int(match[1], 16)) - 1
                if at >= 0:
                    start, _, name = table[at]
                    line += f"  {name}+0x{int(match[1], 16) - start:x}"
            print(line, flush=True)
