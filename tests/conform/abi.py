#!/usr/bin/env python3
"""Compare abi/xen with Debian's libxen-dev: every constant, size and offset.

Our headers are read for what they define: object-like macros, enumerators,
and structs and unions with all their members. Each becomes one fact, `name =
expression`. The list is compiled twice for arm64, against our headers and
against Debian's, and the two answers must be equal. A name that Debian's
headers do not have fails: the interface is theirs, we only state it.

    tests/conform/abi.py --cc aarch64-linux-gnu-gcc --debian /usr/include/xen
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

DEBIAN_HEADERS = ["xen.h", "event_channel.h", "grant_table.h", "memory.h", "sched.h", "vcpu.h",
                  "version.h", "features.h", "hvm/hvm_op.h", "hvm/params.h", "hvm/dm_op.h", "hvm/ioreq.h", "domctl.h",
                  "sysctl.h", "platform.h", "device_tree_defs.h", "io/console.h", "io/xs_wire.h"]
# Names that Debian's headers give only to the tools or to old interface versions.
PRELUDE = "#define __XEN_TOOLS__ 1\n#define __XEN_INTERFACE_VERSION__ 0x00041100\n"


def strip_comments(text):
    """C source without comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def members(body, path):
    """Yield member paths of a struct body, anonymous and named inner ones included."""
    at = 0
    while at < len(body):
        inner = re.compile(r"\s*(?:struct|union)\s*(\w*)\s*\{").match(body, at)
        if inner:
            depth, end = 1, inner.end()
            while depth:
                depth += {"{": 1, "}": -1}.get(body[end], 0)
                end += 1
            name = re.compile(r"\s*(\w*)\s*;").match(body, end)
            sub = path + [name[1]] if name[1] else path
            if name[1]:
                yield sub
            yield from members(body[inner.end():end - 1], sub)
            at = name.end()
            continue
        declaration = re.compile(r"\s*([^;{}]+);").match(body, at)
        if not declaration:
            break
        words = declaration[1].split(",")
        for word in words:
            yield path + [re.match(r".*?(\w+)\s*(?:\[[^\]]*\])*\s*$", word, re.S)[1]]
        at = declaration.end()


def facts(text):
    """Yield (name, C expression) for everything a header states."""
    text = strip_comments(text)
    for name, value in re.findall(r"^#define (\w+) +(\S.*)$", text, re.M):
        yield name, f"(long)({name})"
    for body in re.findall(r"\benum \w+ \{(.*?)\}", text, re.S):
        for name in re.findall(r"(\w+)\s*=", body):
            yield name, f"(long)({name})"
    for match in re.finditer(r"^(struct|union) (\w+) \{(.*?)^\};", text, re.M | re.S):
        what = f"{match[1]} {match[2]}"
        yield f"sizeof {what}", f"(long)sizeof({what})"
        for path in members(match[3], []):
            dotted = ".".join(path)
            yield f"{what} {dotted} at", f"(long)offsetof({what}, {dotted})"
            yield f"{what} {dotted} size", f"(long)sizeof((({what} *)0)->{dotted})"


def answers(compiler, include, headers, wanted, prelude=""):
    """Compile the facts against some headers and return {name: value}; missing names are left out."""
    source = prelude + "#include <stddef.h>\n#include <stdint.h>\n"
    source += "".join(f"#include <{header}>\n" for header in headers)
    lines = [f'void fact_{n}(void) {{ __asm__ volatile("FACT {n} %0" :: "i"({e})); }}'
             for n, (_, e) in enumerate(wanted)]
    while True:
        text = source + "\n".join(line for line in lines if line)
        with tempfile.TemporaryDirectory() as scratch:
            unit = pathlib.Path(scratch, "facts.c")
            unit.write_text(text)
            run = subprocess.run([compiler, "-std=gnu11", "-ffreestanding", "-w", "-S", "-O1",
                                  "-fmax-errors=0", f"-I{include}", str(unit), "-o", "-"],
                                 capture_output=True, text=True, check=False)
        if run.returncode == 0:
            break
        bad = {int(n) for n in re.findall(r"In function .fact_(\d+)", run.stderr)}
        if not bad:
            sys.exit(run.stderr[:2000])
        for n in bad:
            lines[n] = ""
    return {wanted[int(n)][0]: int(v)
            for n, v in re.findall(r"FACT (\d+) #?(-?\d+)", run.stdout)}


def main():
    """Print TAP: one test per header of ours, and one that a wrong constant is noticed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cc", default="aarch64-linux-gnu-gcc")
    parser.add_argument("--debian", default="/usr/include/xen")
    parser.add_argument("--ours", default="abi/xen")
    options = parser.parse_args()
    ours = sorted(pathlib.Path(options.ours).glob("*.h"))
    wanted = {header.name: list(facts(header.read_text())) for header in ours}
    print(f"1..{len(ours) + 1}")
    failed = compared = 0
    with tempfile.TemporaryDirectory() as scratch:
        # Only the xen folder of the host's headers: the rest is of the wrong architecture.
        os.symlink(options.debian, pathlib.Path(scratch, "xen"))
        for header in ours:
            mine = answers(options.cc, pathlib.Path(options.ours).parent, [f"xen/{header.name}"],
                           wanted[header.name])
            if header.name == "errno.h":  # two of its numbers are seen by the hypervisor only
                theirs = answers(options.cc, scratch, ["xen/errno.h"], wanted[header.name],
                                 "#define __XEN__ 1\n")
            else:
                theirs = answers(options.cc, scratch, [f"xen/{h}" for h in DEBIAN_HEADERS],
                                 wanted[header.name], PRELUDE)
            wrong = [f"{name}: ours {mine.get(name)}, Debian's {theirs.get(name)}"
                     for name, _ in wanted[header.name] if mine.get(name) != theirs.get(name)]
            compared += len(mine)
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} - abi/xen/{header.name}:"
                  f" {len(wanted[header.name])} facts equal Debian's")
            for line in wrong:
                print(f"# {line}")
        lie = [("XENMEM_populate_physmap", "(long)(XENMEM_populate_physmap + 1)")]
        truth = [("XENMEM_populate_physmap", "(long)(XENMEM_populate_physmap)")]
        caught = (answers(options.cc, pathlib.Path(options.ours).parent, ["xen/memory.h"], lie) !=
                  answers(options.cc, scratch, ["xen/memory.h"], truth, PRELUDE))
        print(f"{'ok' if caught and compared > 300 else 'not ok'} - a wrong constant is noticed")
        failed += not (caught and compared > 300)
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
