#!/usr/bin/env python3
"""How deep EL2's stack can get, from the linked image; fails if a stack could overflow.

  stack.py bulkhead.elf STACK_BYTES

Read from the disassembly, after inlining and link-time optimisation, so it is about the code
that runs. A function's frame is all it ever takes from SP; calls and tail calls are edges. A call
through a pointer may reach any function whose address the image takes (tables in data, ADRP + ADD
in code), nested at most INDIRECT deep: hypercall table, an entry of a multicall, the call it makes,
an operation's notification, a console's writer. The end of the world (PANIC) comes once, on top of the deepest chain.

Errors: a cycle of direct calls that BOUNDED does not name, a frame of unknown size, and a chain
deeper than the stack. Prints the deepest chain, the largest frames, and who calls by pointer.
"""
import argparse
import re
import struct
import subprocess
import sys

INDIRECT = 5
PANIC = ("assert_failed", "panic", "el2_exception")
# Cycles that a counter or a state ends: CALLER CALLEE is not followed a second time.
BOUNDED = {}


class Function:
    """Name, largest frame in bytes, callees by name, whether it calls through a pointer."""

    def __init__(self, name):
        self.name, self.frame, self.callees, self.indirect = name, 0, set(), False


def disassembly(elf):
    """Lines of objdump."""
    out = subprocess.run(["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", elf],
                         check=True, stdout=subprocess.PIPE)
    return out.stdout.decode().splitlines()


def read(elf):
    """(functions by name, names whose address is taken, trouble)."""
    functions, starts, taken, trouble = {}, {}, set(), []
    lines = disassembly(elf)
    for line in lines:
        if match := re.match(r"([0-9a-f]+) <(.+)>:$", line):
            functions[match[2]] = Function(match[2])
            starts[int(match[1], 16)] = match[2]
    current, pages = None, {}
    for line in lines:
        if match := re.match(r"[0-9a-f]+ <(.+)>:$", line):
            current, pages = functions[match[1]], {}
            continue
        words = line.split("\t")
        if current is None or len(words) < 2:
            continue
        one_instruction(current, words[1].strip(), words[2] if len(words) > 2 else "",
                        starts, taken, pages, trouble)
    taken |= taken_in_data(elf, starts)
    return functions, taken, trouble


def one_instruction(f, op, operands, starts, taken, pages, trouble):
    """What one instruction says about frame, calls and addresses."""
    operands = operands.split("//")[0].strip()
    if match := re.search(r"\[sp, #-(\d+)\]!", operands):
        f.frame += int(match[1])
    elif op == "sub" and operands.startswith("sp, sp, "):
        if match := re.match(r"sp, sp, #(0x[0-9a-f]+|\d+)(?:, lsl #(\d+))?$", operands):
            f.frame += int(match[1], 0) << int(match[2] or 0)
        else:
            trouble.append(f"{f.name}: a frame of unknown size: {op} {operands}")
    elif op in ("blr", "br"):
        f.indirect = True
    elif match := re.match(r"(?:x\d+, )?([0-9a-f]+) <", operands):
        target = starts.get(int(match[1], 16))
        if op == "adrp":
            pages[operands.split(",")[0]] = int(match[1], 16)
        elif op == "adr" and target:
            taken.add(target)
        elif target and (op == "bl" or (target != f.name and  # a branch to itself is a loop
                                        (op == "b" or op.startswith(("b.", "cb", "tb"))))):
            f.callees.add(target)
    elif op == "add":
        words = [w.strip() for w in operands.split(",")]
        if len(words) == 3 and words[1] in pages and words[2].startswith("#"):
            target = starts.get(pages[words[1]] + int(words[2][1:], 0))
            if target:
                taken.add(target)


def taken_in_data(elf, starts):
    """Functions whose address lies, as eight bytes, in a section that is not code."""
    found = set()
    with open(elf, "rb") as image:
        data = image.read()
    offset, = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3a)
    for i in range(count):
        _, kind, flags, _, at, length = struct.unpack_from("<IIQQQQ", data, offset + i * size)
        if kind == 1 and flags & 2 and not flags & 4:  # PROGBITS, ALLOC, not EXECINSTR
            for word, in struct.iter_unpack("<Q", data[at:at + length // 8 * 8]):
                if word in starts:
                    found.add(starts[word])
    return found


class Depths:
    """The deepest chain from each function."""

    def __init__(self, functions, taken, trouble):
        self.functions, self.trouble, self.known, self.path = functions, trouble, {}, []
        self.taken = sorted(name for name in taken if functions[name].frame or
                            functions[name].callees)

    def chain(self, name, nested):
        """(bytes, [names]) from `name` on, with `nested` calls by pointer left."""
        if (name, nested) in self.known:
            return self.known[name, nested]
        if name in self.path:
            cycle = self.path[self.path.index(name):] + [name]
            if not any(BOUNDED.get(a) == b for a, b in zip(cycle, cycle[1:])):
                self.trouble.append("recursion: " + " -> ".join(cycle))
            return 0, []
        f, best = self.functions[name], (0, [])
        self.path.append(name)
        for callee in sorted(f.callees):
            if callee not in PANIC:
                best = max(best, self.chain(callee, nested))
        self.path.pop()
        if f.indirect and nested:
            kept, self.path = self.path, []
            best = max([best] + [self.chain(target, nested - 1) for target in self.taken])
            self.path = kept
        self.known[name, nested] = best[0] + f.frame, [name] + best[1]
        return self.known[name, nested]


def folded(names):
    """[(names, times)]: a part that comes several times in a row, only once."""
    at, out = 0, []
    while at < len(names):
        part, times = 1, 1
        for length in range(1, (len(names) - at) // 2 + 1):
            block, count = names[at:at + length], 1
            while names[at + count * length:at + (count + 1) * length] == block:
                count += 1
            if count > times:
                part, times = length, count
        out.append((names[at:at + part], times))
        at += part * times
    return out


def main():
    """Exit status 1 if there is trouble."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("elf")
    parser.add_argument("limit", type=int)
    parser.add_argument("-q", "--quiet", action="store_true", help="only trouble and one line")
    options = parser.parse_args()
    functions, taken, trouble = read(options.elf)
    depths = Depths(functions, taken, trouble)
    deepest = max(depths.chain(name, INDIRECT) for name in functions if name not in PANIC)
    end = max(depths.chain(name, 1) for name in PANIC if name in functions)
    total = deepest[0] + end[0]
    if total > options.limit:
        trouble.append(f"{total} bytes are needed, the stack has {options.limit}")
    if not options.quiet or trouble:
        for what, (size, names) in (("deepest chain", deepest), ("and the end of the world", end)):
            print(f"{what}: {size} bytes")
            for block, times in folded(names):
                for name in block:
                    print(f"{functions[name].frame:>8}  {name}")
                if times > 1:
                    print(f"          these {len(block)} counted {times} times: by pointer, anything could be called")
        print("largest frames:")
        for f in sorted(functions.values(), key=lambda f: -f.frame)[:8]:
            print(f"{f.frame:>8}  {f.name}")
        print(f"by pointer, to any of {len(depths.taken)}: "
              + ", ".join(sorted(f.name for f in functions.values() if f.indirect)))
    for line in sorted(set(trouble)):
        print(f"stack: {line}", file=sys.stderr)
    print(f"check-stack: {'not ok' if trouble else 'ok'}, at most {total} of {options.limit} bytes")
    sys.exit(1 if trouble else 0)


if __name__ == "__main__":
    main()
