"""Pack directories into the read-only archive that an image carries.

Layout (little endian; libos/files/archive.c reads it): "BKAR", u32 count, then
per entry, sorted by path, u32 path offset, u32 mode and kind, u64 data offset,
u64 size; then paths (terminated) and data (16-byte aligned). No times, no
owners: the same files give the same bytes.
"""
import os
import stat
import struct

KIND_DIRECTORY = 0o040000
KIND_FILE = 0o100000


def collect(roots):
    """{path: (mode, bytes or None)}: what lies below the roots, pairs of a folder and its place."""
    found = {"/": (KIND_DIRECTORY | 0o755, None)}
    for root, at in roots:
        for directory, names, files in os.walk(root):
            names.sort()
            path = os.path.normpath(os.path.join(at, os.path.relpath(directory, root)))
            found[path] = (KIND_DIRECTORY | 0o755, None)
            prefix = path.rstrip("/") + "/"
            for name in sorted(files):
                path = os.path.join(directory, name)
                executable = os.stat(path).st_mode & stat.S_IXUSR
                with open(path, "rb") as file:
                    found[prefix + name] = (KIND_FILE | (0o555 if executable else 0o444),
                                            file.read())
    return found


def pack(files):
    """The archive's bytes."""
    entries = sorted(files.items(), key=lambda item: item[0].encode())
    header = 8 + 24 * len(entries)
    paths = b""
    table = []
    for path, _ in entries:
        table.append(header + len(paths))
        paths += path.encode() + b"\0"
    data = b""
    base = (header + len(paths) + 15) & ~15
    index = b""
    for (path, (mode, content)), path_at in zip(entries, table):
        content = content or b""
        index += struct.pack("<IIQQ", path_at, mode, base + len(data), len(content))
        data += content + b"\0" * (-len(content) % 16)
    head = b"BKAR" + struct.pack("<I", len(entries)) + index + paths
    return head + b"\0" * (base - len(head)) + data
