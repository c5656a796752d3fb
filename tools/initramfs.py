#!/usr/bin/env python3
"""Build a small guest root file system (cpio, gzip) from Debian packages.

  initramfs.py [--arch arm64] [--package PKG]... [--whole PKG]... [--program PKG:NAME]...
               [--kernel FLAVOUR --module NAME...] [--file FROM=TO]... [-o FILE]

The base is busybox-static and the init scripts in tools/guest. --package adds
a whole package with its dependencies; --whole adds a package and only the
libraries its programs are linked with; --program adds one program and the
libraries it is linked with, which keeps images small; --module adds kernel
modules with what they need and loads them at boot; --file adds a file or a
folder of ours. The same request gives the same bytes, kept in the cache; the
path is printed, or the image copied to -o FILE.
"""
import argparse
import glob
import gzip
import hashlib
import lzma
import os
import re
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debian  # noqa: E402

GUEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guest")

# Of a whole package, what no test and no demo reads.
DROPPED = re.compile(r"(usr/share/(doc|man|info|locale|lintian|bash-completion|zsh)|usr/include"
                     r"|usr/lib/xen-[0-9.]+/lib/python)(/|$)")


class Tree:
    """A file system in memory: path -> (mode, content or link target or device)."""

    def __init__(self):
        self.entries = {}

    def folder(self, path):
        """A directory, with its parents."""
        path = path.strip("/")
        while path and path not in self.entries:
            self.entries[path] = (stat.S_IFDIR | 0o755, b"", (0, 0))
            path = os.path.dirname(path)

    def add(self, path, mode, content=b"", device=(0, 0)):
        """A file, link or device node; merged-/usr paths become one."""
        path = path.strip("/")
        for old in ("bin", "sbin", "lib"):
            if path.startswith(old + "/"):
                path = "usr/" + path
        self.folder(os.path.dirname(path))
        self.entries[path] = (mode, content, device)

    def add_host(self, source, path, mode=None):
        """A copy of a file or symbolic link of the host."""
        status = os.lstat(source)
        if stat.S_ISLNK(status.st_mode):
            self.add(path, stat.S_IFLNK | 0o777, os.readlink(source).encode())
        elif stat.S_ISREG(status.st_mode):
            with open(source, "rb") as file:
                self.add(path, stat.S_IFREG | (mode or status.st_mode & 0o755), file.read())

    def add_folder(self, source, path, dropped=None):
        """A copy of a folder of the host."""
        for directory, folders, files in os.walk(source):
            inside = os.path.relpath(directory, source)
            inside = "" if inside == "." else inside
            for name in files + [f for f in folders if os.path.islink(os.path.join(directory, f))]:
                within = os.path.join(inside, name)
                if not (dropped and dropped.match(within)):
                    self.add_host(os.path.join(directory, name), os.path.join(path, within))

    def cpio(self):
        """The tree as a `newc` archive (Linux, early-userspace/buffer-format.rst)."""
        parts = []
        entries = sorted(self.entries.items()) + [("TRAILER!!!", (0, b"", (0, 0)))]
        for number, (path, (mode, content, device)) in enumerate(entries, 1):
            name = path.encode() + b"\0"
            fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
            header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
            parts += [header, b"\0" * (-len(header) % 4), content, b"\0" * (-len(content) % 4)]
        return b"".join(parts)


# --- programs and the libraries they need -----------------------------------

def needed(path):
    """(names of the shared libraries an ELF file is linked with, path of its interpreter)."""
    result = subprocess.run(["readelf", "-d", "-l", path], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, check=False)
    text = result.stdout.decode("utf-8", "replace")
    names = re.findall(r"\(NEEDED\).*\[([^\]]+)\]", text)
    interpreter = re.search(r"interpreter: ([^\]]+)\]", text)
    return names, interpreter[1] if interpreter else None


def package_of(soname):
    """The package that Debian policy (8.1) names after a library."""
    match = re.match(r"(.+)\.so\.?(.*)$", soname)
    if not match:
        return soname
    name, version = match[1].lower().replace("_", "-"), match[2]
    return name + ("-" if name[-1:].isdigit() and version else "") + version


class Libraries:
    """Finds libraries in the dependency closure of a package, fetching as little as possible."""

    def __init__(self, root, package):
        self.root = root
        self.versions = dict(root.closure([package]))
        self.fetched = {}
        self.get(package)
        for base in ("libc6", "libgcc-s1"):
            if base in self.versions:
                self.get(base)

    def get(self, package):
        """Unpack one package of the closure; true if that was new."""
        if package in self.fetched or package not in self.versions:
            return False
        self.fetched[package] = self.root.unpack(package, self.versions[package])
        return True

    def find(self, patterns):
        """Path of the first file that matches, relative to its package, and its package's."""
        for where in self.fetched.values():
            for pattern in patterns:
                for path in sorted(glob.glob(os.path.join(where, pattern))):
                    return path, os.path.relpath(path, where)
        return None

    def library(self, soname):
        """(path, path in the guest) of a library, fetching packages until it is found."""
        patterns = [f"{folder}/{soname}" for folder in
                    ("lib/*", "usr/lib/*", "lib", "usr/lib", "usr/lib/*/*")]  # the last by RUNPATH
        found = self.find(patterns)
        if not found and self.get(package_of(soname)):
            found = self.find(patterns)
        likely = sorted(self.versions, key=lambda p: (not p.startswith(("lib", "zlib")), p))
        for package in likely:
            if found:
                break
            if self.get(package):
                found = self.find(patterns)
        if not found:
            raise debian.Failure(f"no package of the closure holds the library {soname}")
        return found


def add_libraries(tree, libraries, path):
    """Add all libraries the program at `path` is linked with."""
    # libgcc_s is loaded by pthread_cancel() at run time, so no ELF header names it.
    pending, interpreter = needed(path)
    done = set()
    if interpreter:
        pending.append("libgcc_s.so.1")
        path, _ = libraries.library(os.path.basename(interpreter))
        tree.add_host(os.path.realpath(path), interpreter)
    while pending:
        soname = pending.pop()
        if soname in done:
            continue
        done.add(soname)
        path, inside = libraries.library(soname)
        real = os.path.realpath(path)
        tree.add_host(real, inside)
        pending += needed(real)[0]


def add_program(tree, arch, package, name):
    """Add one program and all libraries it is linked with."""
    libraries = Libraries(debian.AptRoot(arch).open(), package)
    found = libraries.find([f"{folder}/{name}" for folder in
                            ("usr/bin", "usr/sbin", "bin", "sbin", "usr/lib/xen-*/bin")])
    if not found:
        raise debian.Failure(f"package {package} holds no program {name}")
    tree.add_host(*found)
    add_libraries(tree, libraries, found[0])


def add_whole(tree, arch, package):
    """Add one package as Debian ships it, and all libraries its programs are linked with."""
    libraries = Libraries(debian.AptRoot(arch).open(), package)
    where = libraries.fetched[package]
    tree.add_folder(where, "", DROPPED)
    for path in sorted(glob.glob(os.path.join(where, "**"), recursive=True)):
        if os.path.isfile(path) and not os.path.islink(path) \
                and not DROPPED.match(os.path.relpath(path, where)):
            with open(path, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    add_libraries(tree, libraries, path)


# --- kernel modules ---------------------------------------------------------

def module_table(modules, release):
    """{name: [its path, the paths it needs...]} of a kernel; depmod runs once, into the cache."""
    base = os.path.dirname(os.path.dirname(os.path.dirname(modules)))
    where = os.path.join(debian.CACHE, "debian", "depmod", os.path.basename(base))
    if not os.path.exists(where):
        debian.say(f"indexing the modules of {release}")
        os.makedirs(os.path.dirname(where), exist_ok=True)
        text = debian.run(["depmod", "-n", "-b", base, release])
        lines = [line for line in text.split("\n") if re.match(r"\S+\.ko(\.\w+)?:", line)]
        put("\n".join(lines).encode(), where)
    table = {}
    with open(where, encoding="utf-8") as file:
        for line in file:
            first, _, rest = line.strip().partition(":")
            table[module_name(first)] = [first] + rest.split()
    return table


def module_name(path):
    """Name of a module from its path: virtio_net from .../virtio-net.ko.xz."""
    return os.path.basename(path).split(".")[0].replace("-", "_")


def add_modules(tree, flavour, names):
    """Add modules with what they need (decompressed), and an index for modprobe."""
    found = debian.kernel(flavour)
    table = module_table(found["modules"], found["release"])
    lines, wanted, done = [], [n.replace("-", "_") for n in names], set()
    for name in wanted:
        if name not in table:
            raise debian.Failure(f"kernel {found['release']} has no module {name} "
                                 "(it may be built in)")
    while wanted:
        paths = table[wanted.pop()]
        wanted += [module_name(p) for p in paths[1:] if p not in done]
        if paths[0] in done:
            continue
        done.add(paths[0])
        with open(os.path.join(found["modules"], paths[0]), "rb") as file:
            content = file.read()
        if paths[0].endswith(".xz"):
            content = lzma.decompress(content)
        plain = [re.sub(r"\.(xz|gz|zst)$", "", p) for p in paths]
        tree.add(f"lib/modules/{found['release']}/{plain[0]}", stat.S_IFREG | 0o644, content)
        lines.append(f"{plain[0]}: {' '.join(plain[1:])}\n")
    tree.add(f"lib/modules/{found['release']}/modules.dep", stat.S_IFREG | 0o644,
             "".join(sorted(lines)).encode())


# --- the image --------------------------------------------------------------

def base_tree(arch):
    """busybox, bash and our init scripts."""
    tree = Tree()
    for path in ("proc", "sys", "dev", "tmp", "root", "run", "tests", "usr/bin", "usr/sbin",
                 "usr/lib", "etc", "var"):
        tree.folder(path)
    for link in ("bin", "sbin", "lib"):
        tree.entries[link] = (stat.S_IFLNK | 0o777, b"usr/" + link.encode(), (0, 0))
    busybox, = debian.fetch(["busybox-static"], arch)
    tree.add_host(os.path.join(busybox, "bin", "busybox"), "bin/busybox", 0o755)
    tree.add("bin/sh", stat.S_IFLNK | 0o777, b"busybox")
    tree.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    tree.add("dev/null", stat.S_IFCHR | 0o666, device=(1, 3))
    tree.add_host(os.path.join(GUEST, "init"), "init", 0o755)
    tree.add_host(os.path.join(GUEST, "rc"), "etc/rc", 0o755)
    tree.add_host(os.path.join(GUEST, "inittab"), "etc/inittab", 0o644)
    tree.add_host(os.path.join(GUEST, "profile"), "etc/profile", 0o644)
    tree.add_host(os.path.join(GUEST, "inputrc"), "etc/inputrc", 0o644)
    # The prompt is bash's: busybox's line editor asks the terminal for the cursor, and where
    # several guests share one terminal the answer goes to whoever has the keyboard.
    add_program(tree, arch, "bash", "bash")
    terms, = debian.fetch(["ncurses-base"], arch)
    for term in ("v/vt100", "l/linux", "x/xterm"):
        tree.add_host(os.path.join(terms, "lib", "terminfo", term), f"lib/terminfo/{term}")
    tree.add("etc/passwd", stat.S_IFREG | 0o644, b"root::0:0:root:/root:/bin/bash\n")
    tree.add("etc/group", stat.S_IFREG | 0o644, b"root:x:0:\n")
    return tree


def build(request):
    """The image as bytes, for a parsed command line."""
    tree = base_tree(request.arch)
    for where in debian.fetch(sorted(request.package), request.arch, deps=True) \
            if request.package else []:
        tree.add_folder(where, "", DROPPED)
    for package in sorted(request.whole):
        add_whole(tree, request.arch, package)
    for item in sorted(request.program):
        package, _, name = item.rpartition(":")
        add_program(tree, request.arch, package or name, name)
    for item in request.file:
        source, _, path = item.partition("=")
        if os.path.isdir(source):
            tree.add_folder(source, path)
        else:
            tree.add_host(source, path)
    if request.module:
        add_modules(tree, request.kernel, request.module)
    tree.add("etc/modules", stat.S_IFREG | 0o644, "\n".join(request.module).encode() + b"\n")
    return gzip.compress(tree.cpio(), 6, mtime=0)


def own_files(request):
    """Every file of ours that ends up in the image or makes it."""
    paths = [os.path.abspath(__file__), os.path.abspath(debian.__file__)]
    for source in [GUEST] + [item.partition("=")[0] for item in request.file]:
        if os.path.isdir(source):
            paths += [p for p in glob.glob(os.path.join(source, "**"), recursive=True)
                      if os.path.isfile(p)]
        else:
            paths.append(source)
    return sorted(paths)


def request_key(request):
    """Name of the image in the cache: a hash of all that it is made from."""
    key = hashlib.sha256()
    root = debian.AptRoot(request.arch).open()
    for package in ["busybox-static", "bash", "ncurses-base"] + sorted(request.package) \
            + sorted(request.whole) + sorted(item.partition(":")[0] for item in request.program):
        key.update(f"{package} {root.show(package)['Version']}\n".encode())
    if request.module:
        key.update(debian.kernel(request.kernel)["release"].encode())
    key.update(repr((request.arch, request.module, request.file, sorted(request.program))
                    + tuple(sorted(request.whole))).encode())
    for path in own_files(request):
        with open(path, "rb") as file:
            key.update(path.encode() + b"\0" + str(os.stat(path).st_mode & 0o111).encode()
                       + file.read())
    return key.hexdigest()[:24]


def make(request):
    """Path of the image for a request, built unless the cache has it."""
    where = os.path.join(debian.CACHE, "initramfs", request_key(request) + ".cpio.gz")
    if os.path.exists(where):
        return where
    with debian.locked("initramfs-" + os.path.basename(where)):
        if not os.path.exists(where):
            debian.say("building a guest root file system")
            os.makedirs(os.path.dirname(where), exist_ok=True)
            put(build(request), where)
    return where


def put(data, path):
    """Write a file in one step."""
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(os.path.abspath(path)),
                                     delete=False) as file:
        file.write(data)
    os.chmod(file.name, 0o644)
    os.rename(file.name, path)


def parser():
    """The command line."""
    words = argparse.ArgumentParser(description=__doc__,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--arch", default="arm64", choices=("arm64", "armhf"))
    words.add_argument("--package", action="append", default=[], metavar="PKG")
    words.add_argument("--whole", action="append", default=[], metavar="PKG")
    words.add_argument("--program", action="append", default=[], metavar="PKG:NAME")
    words.add_argument("--kernel", default="arm64", choices=sorted(debian.KERNELS),
                       help="whose modules --module means")
    words.add_argument("--module", action="append", default=[], metavar="NAME")
    words.add_argument("--file", action="append", default=[], metavar="FROM=TO")
    words.add_argument("-o", "--output", metavar="FILE")
    return words


def main():
    """Build or find the image; 0 on success."""
    request = parser().parse_args()
    for item in request.file:
        if "=" not in item or not os.path.exists(item.partition("=")[0]):
            print(f"initramfs: error: --file {item}: needs FROM=TO, FROM being an existing file "
                  "or folder", file=sys.stderr)
            return 2
    try:
        path = make(request)
    except debian.Failure as failure:
        print(f"initramfs: error: {failure}", file=sys.stderr)
        return 1
    if request.output:
        with open(path, "rb") as file:
            data = file.read()
        os.makedirs(os.path.dirname(os.path.abspath(request.output)), exist_ok=True)
        put(data, request.output)
    else:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
