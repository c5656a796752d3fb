"""From a linked ELF to the flat image a hypervisor loads.

text | rodata | data | list of relocations (over the start of bss) - see
libos/arch/arm64/image.lds. Addends are stored in place, and the list is in the
generic ABI's RELR form: a few bits per relocated word instead of 24 bytes.
"""
import hashlib
import struct

from manifest import Mistake
from scan import Elf

R_AARCH64_RELATIVE = 1027
IMAGE_SIZE_AT = 16
BUILD_ID_AT = 64


def relocations(elf, name):
    """Sorted (offset, addend); anything but RELATIVE cannot be done at boot."""
    found = []
    if name in elf.sections:
        table = elf.content(name)
        for at in range(0, len(table), 24):
            offset, info, addend = struct.unpack_from("<QQq", table, at)
            if info & 0xFFFFFFFF == 0:
                continue
            if info & 0xFFFFFFFF != R_AARCH64_RELATIVE:
                raise Mistake(f"relocation type {info & 0xffffffff} at 0x{offset:x} is not "
                              "RELATIVE; was something compiled without -fPIE?")
            found.append((offset, addend))
    return sorted(found)


def encode_relr(offsets):
    """The words of a RELR section: an address, then bitmaps of the 63 words that follow it."""
    words = []
    at = 0
    while at < len(offsets):
        base = offsets[at]
        if base & 7:
            raise Mistake(f"relocation at 0x{base:x} is not aligned to 8 bytes")
        words.append(base)
        base += 8
        at += 1
        while True:
            bitmap = 0
            while at < len(offsets) and offsets[at] - base < 63 * 8 and offsets[at] % 8 == 0:
                bitmap |= 1 << (offsets[at] - base) // 8
                at += 1
            if bitmap == 0:
                break
            words.append(bitmap << 1 | 1)
            base += 63 * 8
    return words


def make_image(elf_path, image_path):
    """Write the image; return {part: bytes} of what it consists of."""
    elf = Elf(elf_path)
    marks = {name: value for name, value, *_ in elf.symbols()
             if name in ("text_end", "rodata_end", "bss_start", "image_end")}
    flat = bytearray(marks["bss_start"])
    for section in elf.order:
        if (section["flags"] & 2 and section["type"] != 8 and section["size"]
                and section["address"] < marks["bss_start"]):
            content = elf.content(section["name"])
            flat[section["address"]:section["address"] + len(content)] = content
    found = relocations(elf, ".rela.dyn")
    if found and found[0][0] < marks["rodata_end"]:
        raise Mistake(f"relocation at 0x{found[0][0]:x} in text or read-only data, which the boot "
                      "code does not write; was something compiled without -fPIE?")
    for offset, addend in found:
        struct.pack_into("<q", flat, offset, addend)
    words = encode_relr([offset for offset, _ in found])
    packed = struct.pack(f"<{len(words) + 1}Q", len(words), *words)
    room = marks["image_end"] - marks["bss_start"]
    if len(packed) > room:
        marks["image_end"] += (len(packed) - room + 4095) & ~4095
        raise Mistake("the list of relocations is larger than bss; report this")
    flat += packed
    struct.pack_into("<Q", flat, IMAGE_SIZE_AT, marks["image_end"])
    digest = hashlib.sha256(flat).digest()[:16]
    flat[BUILD_ID_AT:BUILD_ID_AT + 16] = digest
    with open(image_path, "wb") as file:
        file.write(flat)
    return {"text": marks["text_end"], "rodata": marks["rodata_end"] - marks["text_end"],
            "data": marks["bss_start"] - marks["rodata_end"], "relocations": len(packed),
            "image": len(flat), "bss": room, "memory": marks["image_end"],
            "id": digest[:8].hex()}
