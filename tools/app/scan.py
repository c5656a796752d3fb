"""Which system calls can a linked program make, and which function makes them?

The program is linked once against the unmodified C library, as a plain static
Linux program with unreachable code collected. Every SVC instruction that is
left, and every call of musl's cancellation wrapper, has its number in a
register loaded by an immediate shortly before: that is read off the machine
code. What cannot be read off is listed in UNREADABLE with its meaning; anything
else unreadable stops the build, so nothing is ever left out silently.
"""
import re
import struct

from manifest import Mistake

# Functions whose SVC takes a number from elsewhere, and the numbers that can be.
UNREADABLE = {
    "__syscall_cp_c": [],    # the wrapper itself: its callers are scanned
    "__syscall_cp_asm": [],
    "sccp": [],
    "__wait": [98],
    "do_setxid": [144, 146],  # setgid and setuid, for every thread; of the others none is answered
}
GENERIC = "syscall"          # the program chooses: the manifest or its own code is scanned

# Calls that are linked but cannot run here; the reason is printed by `report`.
UNREACHABLE = {
    ("__init_libc", "ppoll"): "only for set-user-id programs",
    ("__init_libc", "openat"): "only for set-user-id programs",
}


class Elf:
    """As much of a 64-bit little-endian ELF file as is needed here."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise Mistake(f"{path} is not a 64-bit ELF file")
        (offset,) = struct.unpack_from("<Q", self.data, 0x28)
        size, count, names = struct.unpack_from("<HHH", self.data, 0x3A)
        raw = [struct.unpack_from("<IIQQQQIIQQ", self.data, offset + i * size)
               for i in range(count)]
        table = raw[names][4]
        self.sections = {}
        self.order = []
        for entry in raw:
            end = self.data.index(b"\0", table + entry[0])
            name = self.data[table + entry[0]:end].decode()
            section = dict(name=name, type=entry[1], flags=entry[2], address=entry[3],
                           offset=entry[4], size=entry[5], link=entry[6])
            self.sections[name] = section
            self.order.append(section)

    def content(self, name):
        """Bytes of a section."""
        section = self.sections[name]
        return self.data[section["offset"]:section["offset"] + section["size"]]

    def symbols(self):
        """(name, value, size, type, section index) of every symbol."""
        if ".symtab" not in self.sections:
            return
        strings = self.content(self.order[self.sections[".symtab"]["link"]]["name"])
        table = self.content(".symtab")
        for at in range(0, len(table), 24):
            name, info, _, index, value, size = struct.unpack_from("<IBBHQQ", table, at)
            end = strings.index(b"\0", name)
            yield strings[name:end].decode(), value, size, info & 15, index


def functions(elf):
    """Sorted (start, end, name) of the functions in .text; sizes of assembly ones are guessed."""
    text = elf.sections[".text"]
    limit = text["address"] + text["size"]
    found = {}
    for name, value, size, kind, index in elf.symbols():
        if text["address"] <= value < limit and kind in (0, 2) and not name.startswith("$"):
            if value not in found or kind == 2 and found[value][1] != 2:
                found[value] = (name, kind, size)
    starts = sorted(found)
    result = []
    for i, start in enumerate(starts):
        end = starts[i + 1] if i + 1 < len(starts) else limit
        result.append((start, end, found[start][0]))
    return result


def sign(value, bits):
    """A field of an instruction as a signed number."""
    return value - (1 << bits) if value >> (bits - 1) else value


def successors(word, address):
    """(addresses that can follow within the function, whether it is a call)."""
    if word & 0xFC000000 == 0x14000000:                                # b
        return [address + 4 * sign(word & 0x3FFFFFF, 26)], False
    if word & 0xFC000000 == 0x94000000 or word & 0xFFFFFC1F == 0xD63F0000:  # bl, blr
        return [address + 4], True
    if word & 0xFF000010 == 0x54000000 or word & 0x7E000000 == 0x34000000:  # b.cond, cbz, cbnz
        return [address + 4, address + 4 * sign(word >> 5 & 0x7FFFF, 19)], False
    if word & 0x7E000000 == 0x36000000:                                # tbz, tbnz
        return [address + 4, address + 4 * sign(word >> 5 & 0x3FFF, 14)], False
    if word & 0xFE000000 == 0xD6000000 or word & 0xFFE0001F == 0xD4200000:  # br, ret, eret, brk
        return [], False
    return [address + 4], False


def written(word):
    """Registers that an instruction may change (more than it does, where telling is long)."""
    group = word >> 25 & 15
    if group & 5 == 4:                                                 # loads and stores
        changed = {word >> 5 & 31}
        if not word >> 26 & 1:
            changed.add(word & 31)
            if word & 0x3A000000 == 0x28000000:
                changed.add(word >> 10 & 31)
            if word & 0x3F000000 == 0x08000000:
                changed.add(word >> 16 & 31)
            plain_store = not word >> 22 & 3 and word & 0x3A000000 != 0x28000000 \
                and word & 0x3F000000 != 0x08000000 and word & 0x3B200C00 != 0x38200000
            pair_store = word & 0x3A400000 == 0x28000000
            if plain_store or pair_store:
                changed -= {word & 31}
                if pair_store:
                    changed -= {word >> 10 & 31}
        return changed - {31}
    if word & 0xFC000000 in (0x14000000, 0x54000000) or word == 0xD4000001:
        return {0} if word == 0xD4000001 else set()
    return {word & 31} - {31}


def step(word, state, call):
    """State of the registers after one instruction: {register: set of possible immediates}."""
    if call:
        return {r: v for r, v in state.items() if r > 18 and r != 30}
    state = dict(state)
    if word & 0x7F800000 == 0x52800000:                                # movz
        state[word & 31] = frozenset({(word >> 5 & 0xFFFF) << (word >> 21 & 3) * 16})
    elif word & 0x7FE0FFE0 == 0x2A0003E0:                              # mov (register)
        state.pop(word & 31, None)
        if word >> 16 & 31 in state:
            state[word & 31] = state[word >> 16 & 31]
    else:
        for register in written(word):
            state.pop(register, None)
    return state


def flow(words, start):
    """{address: state before it}: forward data flow over one function, to a fixed point."""
    end = start + 4 * len(words)
    before = {start: {}}
    # Code that only a computed branch reaches starts with nothing known.
    targets = set()
    for i, word in enumerate(words):
        targets.update(successors(word, start + 4 * i)[0])
    work = [start]
    for i in range(1, len(words)):
        if start + 4 * i not in targets:
            before[start + 4 * i] = {}
            work.append(start + 4 * i)
    while work:
        address = work.pop()
        word = words[(address - start) // 4]
        following, call = successors(word, address)
        after = step(word, before[address], call)
        for target in following:
            if not start <= target < end:
                continue
            old = before.get(target)
            new = after if old is None else {
                r: old[r] | after[r] for r in old if r in after}
            if new != old:
                before[target] = new
                work.append(target)
    return before


def sites(words, start, wrappers):
    """(address, register with the number) of each system call in a function."""
    for i, word in enumerate(words):
        if word == 0xD4000001:
            yield start + 4 * i, 8
        elif word & 0x7C000000 == 0x14000000:
            if start + 4 * i + 4 * sign(word & 0x3FFFFFF, 26) in wrappers:
                yield start + 4 * i, 0


def scan(path, names):
    """{number: {function, ...}} of the calls that the program at `path` can make.

    `names` maps a number to its name, for messages.
    """
    elf = Elf(path)
    text = elf.content(".text")
    base = elf.sections[".text"]["address"]
    wrappers = {value for name, value, *_ in elf.symbols()
                if name in ("__syscall_cp", "__syscall_cp_asm", GENERIC)}
    calls = {}
    unread = []
    for start, end, name in functions(elf):
        count = (end - start) // 4
        words = struct.unpack_from(f"<{count}I", text, start - base)
        found = list(sites(words, start, wrappers))
        if name in UNREADABLE or name == GENERIC or not found:
            for number in UNREADABLE.get(name, []):
                calls.setdefault(number, set()).add(name)
            continue
        before = flow(words, start)
        for address, register in found:
            numbers = before.get(address, {}).get(register)
            if numbers is None:
                unread.append(f"{name}+0x{address - start:x}")
            for number in numbers or ():
                calls.setdefault(number, set()).add(name)
    if unread:
        raise Mistake("cannot tell which system calls are made at " + ", ".join(unread)
                      + "; use the C library's functions, or syscall() with a constant number")
    for number in list(calls):
        calls[number] = {f for f in calls[number]
                         if (f, names.get(number, "?")) not in UNREACHABLE}
        if not calls[number]:
            del calls[number]
    return calls


def read_list(path):
    """{number: (name, handler)} of what the library OS can answer."""
    known = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = re.sub(r"#.*", "", line).split()
            if line:
                known[int(line[0])] = (line[1], line[2])
    return known
