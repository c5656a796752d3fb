"""Read apps/NAME/app.conf: one `key = value` per line, `#` begins a comment.

The manifest is the whole description of an application; an unknown key, a
missing file or a wrong value is told with its line, and nothing is built.
"""
import os
import re
import shlex


class Mistake(Exception):
    """Something the user can put right; the text says what and how."""


# key: (kind, default, what it means)
KEYS = {
    "name": ("word", None, "name of the program and of its image"),
    "sources": ("list", [], "C files, relative to the manifest"),
    "project": ("word", None, "build an existing project: name of a recipe beside the manifest"),
    "libraries": ("list", [], "mbedtls, sqlite3, z, m: Debian's, built or taken unchanged"),
    "cflags": ("list", [], "further compiler flags"),
    "net": ("word", "none", "none, dhcp, or ADDRESS/BITS[,gateway=A][,dns=A]"),
    "ipv6": ("flag", True, "IPv6 beside IPv4"),
    "disk": ("word", "none", "none, or the mount point of the writable file system, such as /data"),
    "scratch": ("word", "none", "none, or the mount point of a writable file system of 1 MiB in memory, such as /tmp"),
    "files": ("list", [], "directories sealed into the image: FOLDER, or FOLDER:/PLACE"),
    "memory": ("size", 8 << 20, "memory of the domain; K, M, G"),
    "stack": ("size", 64 << 10, "stack of the first thread"),
    "arguments": ("list", [], "command line of the program"),
    "seal": ("flag", True, "ask the hypervisor to fix the memory map"),
    "listen": ("list", [], "ports it serves, for `run`: tcp/80 ..."),
}


def parse_size(text):
    """Bytes of 512K, 8M, 1G."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text)
    if not match:
        raise ValueError("not a size such as 512K or 8M")
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]]


def parse_value(kind, text):
    """The value of one line, by the kind of its key."""
    if kind == "list":
        return shlex.split(text)
    if kind == "size":
        return parse_size(text)
    if kind == "flag":
        if text not in ("yes", "no"):
            raise ValueError("neither yes nor no")
        return text == "yes"
    if not re.fullmatch(r"\S+", text):
        raise ValueError("not one word")
    return text


class Manifest:
    """One application: a value per key, and where it came from."""

    def __init__(self, path):
        self.path = path
        self.directory = os.path.dirname(os.path.abspath(path))
        self.values = {key: default for key, (_, default, _) in KEYS.items()}
        self._read()
        self._check()

    @classmethod
    def of_values(cls, **values):
        """A manifest that no file says; what is not given has its default."""
        made = cls.__new__(cls)
        made.path, made.directory = "(none)", "."
        made.values = {key: default for key, (_, default, _) in KEYS.items()} | values
        return made

    def __getattr__(self, key):
        try:
            return self.__dict__["values"][key]
        except KeyError as error:
            raise AttributeError(key) from error

    def file_roots(self):
        """(folder beside the manifest, where its content lies in the image) of each `files`."""
        return [(name.partition(":")[0], name.partition(":")[2] or "/") for name in self.files]

    def _read(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                lines = file.read().split("\n")
        except FileNotFoundError as error:
            raise Mistake(f"{self.path} does not exist; every application has a manifest "
                          "app.conf beside its sources") from error
        seen = set()
        for number, line in enumerate(lines, 1):
            line = re.sub(r"(^|\s)#.*", "", line).strip()
            if not line:
                continue
            key, equals, text = (part.strip() for part in line.partition("="))
            where = f"{self.path}:{number}"
            if not equals:
                raise Mistake(f"{where}: `{line}` is not `key = value`")
            if key not in KEYS:
                raise Mistake(f"{where}: no key `{key}`; there are {', '.join(KEYS)}")
            if key in seen:
                raise Mistake(f"{where}: `{key}` is given twice")
            seen.add(key)
            try:
                self.values[key] = parse_value(KEYS[key][0], text)
            except ValueError as error:
                raise Mistake(f"{where}: {key}: `{text}` is {error}") from error

    def _check(self):
        if not self.name:
            raise Mistake(f"{self.path}: `name` is missing")
        if bool(self.sources) == bool(self.project):
            raise Mistake(f"{self.path}: give either `sources` or `project`")
        for source in self.sources + [folder for folder, _ in self.file_roots()]:
            if not os.path.exists(os.path.join(self.directory, source)):
                raise Mistake(f"{self.path}: {source} does not exist")
        if self.stack % 4096 or not 4096 <= self.stack <= 64 << 20:
            raise Mistake(f"{self.path}: stack must be whole pages, 4K to 64M")
        if self.memory < 512 << 10:
            raise Mistake(f"{self.path}: memory must be at least 512K")
        for key, example in (("disk", "/data"), ("scratch", "/tmp")):
            if self.values[key] != "none" and not self.values[key].startswith("/"):
                raise Mistake(f"{self.path}: {key} must be none or a path such as {example}")
        if self.disk != "none" and self.scratch != "none":
            raise Mistake(f"{self.path}: give either `disk` or `scratch`: there is one writable file system")
        if self.net not in ("none", "dhcp") and not re.match(r"[0-9.]+/\d+", self.net):
            raise Mistake(f"{self.path}: net must be none, dhcp or such as 192.0.2.2/24,"
                          "gateway=192.0.2.1")
