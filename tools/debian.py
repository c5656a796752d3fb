#!/usr/bin/env python3
"""Fetch Debian packages for other machines, without touching the host's apt.

  debian.py fetch [--arch arm64] [--suite bookworm-backports] [--deps] PKG...
  debian.py source PKG...
  debian.py kernel arm64|cloud-arm64|rt-arm64|backports|armhf [--print KEY]
  debian.py xen
  debian.py update

Packages come from the mirrors the host itself uses (its own sources.list, its
own keyrings and proxies), through a private apt root in the cache directory
($BULKHEAD_CACHE, default ~/.cache/bulkhead). Each package is unpacked once,
never installed; results are printed on stdout, progress on stderr. Several
builds may share one cache: work is guarded by locks and appears by rename.
"""
import argparse
import contextlib
import fcntl
import glob
import gzip
import hashlib
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

CACHE = os.path.abspath(
    os.environ.get("BULKHEAD_CACHE")
    or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "bulkhead"))

# Package lists older than this are read again when the network allows.
LISTS_MAX_AGE = 7 * 24 * 3600

# flavour: (architecture, meta package, from backports)
KERNELS = {
    "arm64": ("arm64", "linux-image-arm64", False),
    "cloud-arm64": ("arm64", "linux-image-cloud-arm64", False),
    "rt-arm64": ("arm64", "linux-image-rt-arm64", False),
    "backports": ("arm64", "linux-image-arm64", True),
    "armhf": ("armhf", "linux-image-armmp", False),
}

XEN_PACKAGE = "xen-hypervisor-4.17-arm64"


class Failure(Exception):
    """A mistake to be told to the user in one sentence: cause, then cure."""


def say(text):
    """One line of progress."""
    print(f"debian: {text}", file=sys.stderr, flush=True)


def run(command, apt_config=None, cwd=None):
    """Run a command; return its stdout, or raise with the last words of its stderr."""
    environment = dict(os.environ, LC_ALL="C.UTF-8", DEBIAN_FRONTEND="noninteractive")
    if apt_config:
        environment["APT_CONFIG"] = apt_config
    try:
        result = subprocess.run(command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    except FileNotFoundError as error:
        raise Failure(f"{command[0]} is not installed; run `make setup`") from error
    if result.returncode:
        words = result.stderr.decode("utf-8", "replace").strip() or "no message"
        raise Failure(f"`{' '.join(command)}` failed: {words}")
    return result.stdout.decode("utf-8", "replace")


@contextlib.contextmanager
def locked(name):
    """Hold the cache-wide lock `name`; says so when another build holds it."""
    directory = os.path.join(CACHE, "locks")
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, re.sub(r"[^A-Za-z0-9.+~_-]", "_", name)), "w") as lock:
        for _ in range(80):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
        else:
            say(f"waiting for another build that works on {name}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def appearing(path):
    """Give a temporary directory that becomes `path` only if the body succeeds."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    scratch = tempfile.mkdtemp(prefix=".new-", dir=os.path.dirname(path))
    try:
        os.chmod(scratch, 0o755)
        yield scratch
        os.rename(scratch, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_changed(path, text):
    """Replace a text file in one step if it differs from `text`; true if it did."""
    with contextlib.suppress(FileNotFoundError):
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return False
    # Beside sources.d and its kind apt would read a file that is half there.
    with open(path + ".new~", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new~", path)
    return True


# --- the host's sources -----------------------------------------------------

def host_codename():
    """The release the host runs, such as bookworm."""
    with contextlib.suppress(FileNotFoundError):
        with open("/etc/os-release", encoding="utf-8") as release:
            for line in release:
                if line.startswith("VERSION_CODENAME="):
                    return line.split("=", 1)[1].strip().strip('"')
    raise Failure("/etc/os-release names no VERSION_CODENAME; Bulkhead is built on Debian 12")


def parse_deb822(text):
    """Yield each enabled stanza of a .sources file as a dictionary."""
    lines = [line for line in text.split("\n") if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields, last = {}, None
        for line in stanza.split("\n"):
            if line[:1] in (" ", "\t") and last:
                fields[last] += "\n" + line
            elif ":" in line:
                last, value = line.split(":", 1)
                last = last.strip().lower()
                fields[last] = value.strip()
        if fields.get("enabled", "yes").lower() not in ("no", "false", "0") and fields.get("uris"):
            yield fields


def parse_one_line(text):
    """Yield each `deb [options] URI suite component...` line in the deb822 form."""
    for line in text.split("\n"):
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if match:
            options = dict(o.split("=", 1) for o in (match[1] or "").split() if "=" in o)
            fields = {"types": "deb", "uris": match[2], "suites": match[3],
                      "components": match[4].strip()}
            for name in ("signed-by", "trusted", "check-valid-until"):
                if name in options:
                    fields[name] = options[name]
            yield fields


def host_entries():
    """All binary sources of the host, in the deb822 form."""
    for path in ["/etc/apt/sources.list"] + sorted(glob.glob("/etc/apt/sources.list.d/*")):
        if not os.path.isfile(path):
            continue
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if path.endswith(".sources"):
            yield from (e for e in parse_deb822(text) if "deb" in e.get("types", "deb").split())
        elif path.endswith(".list"):
            yield from parse_one_line(text)


def debian_entries():
    """The host's sources that are Debian's own: suite of this release, component main."""
    codename = host_codename()
    aliases = {codename, "stable", "oldstable"}
    found = []
    for entry in host_entries():
        suites = [s for s in entry.get("suites", "").split()
                  if re.sub(r"(-updates|-security|-backports|/updates)$", "", s) in aliases]
        if suites and "main" in entry.get("components", "").split():
            found.append(dict(entry, suites=" ".join(suites)))
    if not found:
        raise Failure(f"no Debian source for {codename} in /etc/apt/sources.list or "
                      "sources.list.d; add a line `deb MIRROR "
                      f"{codename} main` for a Debian mirror near you there")
    return found


def sources_text(types, backports):
    """The private root's .sources file: the host's mirrors, for another architecture."""
    stanzas = []
    codename = host_codename()
    for entry in debian_entries():
        suites = entry["suites"].split()
        plain = [s for s in suites if not s.endswith("-backports")]
        if backports and codename in suites:
            plain.append(f"{codename}-backports")
        if not plain:
            continue
        lines = [f"Types: {types}", f"URIs: {entry['uris']}", f"Suites: {' '.join(plain)}",
                 "Components: main"]
        for name in ("signed-by", "trusted", "check-valid-until"):
            if name in entry:
                lines.append(f"{name.title()}: {entry[name]}")
        stanzas.append("\n".join(lines))
    return "\n\n".join(stanzas) + "\n"


# --- the private apt root ---------------------------------------------------

class AptRoot:
    """An apt of our own for one architecture: lists, cache, an empty dpkg database.

    What the host knows about reaching the network (proxy, credentials,
    keyrings) is taken over; what it has installed is not.
    """

    def __init__(self, arch, suite=None, source=False):
        self.arch = arch
        self.suite = suite
        self.source = source
        name = "source" if source else arch + (f"-{suite}" if suite else "")
        self.name = name
        self.path = os.path.join(CACHE, "apt", name)
        self.config = os.path.join(self.path, "apt.conf")
        self.stamp = os.path.join(self.path, "lists-read")  # touched when the lists are

    def open(self):
        """Make the root if it is new, read the package lists if they are old; return self."""
        sources = sources_text("deb-src" if self.source else "deb", bool(self.suite))
        if self._is_fresh(sources):
            return self
        with locked(f"apt-{self.name}"):
            if not self._is_fresh(sources):
                must = self._write(sources) or not os.path.exists(self.stamp)
                self._update(self.stamp, must)
        return self

    def _is_fresh(self, sources):
        """Are the lists those of `sources`, and not too old?"""
        with contextlib.suppress(FileNotFoundError):
            with open(os.path.join(self.path, "sources.d", "debian.sources"),
                      encoding="utf-8") as file:
                return (file.read() == sources
                        and time.time() - os.path.getmtime(self.stamp) < LISTS_MAX_AGE)
        return False

    def refresh(self):
        """Read the package lists again, whatever their age."""
        with locked(f"apt-{self.name}"):
            self._write(sources_text("deb-src" if self.source else "deb", bool(self.suite)))
            self._update(self.stamp, must=True)

    def _write(self, sources):
        """Write configuration and sources; true if the sources differ from before."""
        for directory in ("lists/partial", "archives/partial", "sources.d", "parts", "log",
                          "preferences.d"):
            os.makedirs(os.path.join(self.path, directory), exist_ok=True)
        for empty in ("status", "extended_states", "preferences"):
            with open(os.path.join(self.path, empty), "a", encoding="utf-8"):
                pass
        write_changed(self.config, self._config_text())
        return write_changed(os.path.join(self.path, "sources.d", "debian.sources"), sources)

    def _config_text(self):
        """apt.conf(5) of the private root."""
        taken = [line for line in run(["apt-config", "dump"]).split("\n")
                 if line.startswith("Acquire::")
                 and not line.startswith(("Acquire::IndexTargets", "Acquire::Languages"))]
        p = self.path
        own = [
            f'APT::Architecture "{self.arch}";', f'APT::Architectures "{self.arch}";',
            'APT::Sandbox::User "root";', 'APT::Install-Recommends "false";',
            'Acquire::Languages "none";', 'Acquire::Retries "3";', 'APT::Get::Assume-Yes "true";',
            f'Dir::State "{p}";', f'Dir::State::Lists "{p}/lists";',
            f'Dir::State::status "{p}/status";',
            f'Dir::State::extended_states "{p}/extended_states";',
            f'Dir::Cache "{p}";', f'Dir::Cache::Archives "{p}/archives";',
            f'Dir::Log "{p}/log";', f'Dir::Etc::Parts "{p}/parts";',
            f'Dir::Etc::SourceList "{p}/sources.list";',
            f'Dir::Etc::SourceParts "{p}/sources.d";',
            f'Dir::Etc::Preferences "{p}/preferences";',
            f'Dir::Etc::PreferencesParts "{p}/preferences.d";',
        ]
        if self.suite:
            own.append(f'APT::Default-Release "{self.suite}";')
        return "\n".join(taken + own) + "\n"

    def _update(self, stamp, must):
        """Read the package lists; failing that, go on with those at hand if there are any.

        A mirror in the middle of its own update serves some lists and not
        others: that is a warning as long as the main archive's list is there.
        """
        say(f"reading Debian's package lists for {self.name}")
        try:
            run(["apt-get", "update", "-q", "--error-on=any"], self.config)
        except Failure as failure:
            suite = self.suite or host_codename()
            index = "Sources" if self.source else "Packages"
            at_hand = glob.glob(os.path.join(self.path, "lists", f"*_{suite}_main_*{index}*"))
            if must and not at_hand:
                raise Failure(f"cannot read Debian's package lists for {self.name}: "
                              f"{failure}; mend the host's network or apt sources") from failure
            say(f"warning: {failure}")
            say("warning: going on with the lists at hand")
        shutil.rmtree(os.path.join(self.path, "answers"), ignore_errors=True)
        with open(stamp, "w", encoding="utf-8"):
            pass

    def ask(self, command):
        """Output of an apt command that reads the lists; the answer is kept as long as they are."""
        question = hashlib.sha256(repr((command, os.path.getmtime(self.stamp))).encode())
        kept = os.path.join(self.path, "answers", question.hexdigest()[:32])
        with contextlib.suppress(FileNotFoundError):
            with open(kept, encoding="utf-8") as file:
                return file.read()
        with locked(f"apt-{self.name}"):
            answer = run(command, self.config)
            os.makedirs(os.path.dirname(kept), exist_ok=True)
            write_changed(kept, answer)
        return answer

    def show(self, package):
        """The control fields of the version apt would choose."""
        try:
            text = self.ask(["apt-cache", "show", "--no-all-versions", package])
        except Failure as failure:
            if "No packages found" not in str(failure):
                raise
            text = ""
        fields = {}
        for line in text.split("\n\n")[0].split("\n"):
            match = re.match(r"([A-Za-z0-9-]+):\s*(.*)$", line)
            if match:
                fields[match[1]] = match[2]
        if "Version" not in fields:
            raise Failure(f"Debian has no package {package} for {self.name}; check its name, "
                          "or read the lists again with `tools/debian.py update`")
        return fields

    def closure(self, packages):
        """(name, version) of packages and all they depend on, as apt would install them."""
        text = self.ask(["apt-get", "install", "-q", "--print-uris"] + packages)
        found = []
        for match in re.finditer(r"^'[^']+' (\S+)\.deb \d+", text, re.M):
            name, version, _ = match[1].rsplit("_", 2)
            found.append((name, urllib.parse.unquote(version)))
        if not found:
            raise Failure(f"apt resolves nothing for {' '.join(packages)}")
        return sorted(found)

    def unpack(self, name, version):
        """The unpacked directory of one package version, fetched if it is not there yet."""
        where = os.path.join(CACHE, "debian", self.arch, f"{name}_{version.replace(':', '%3a')}")
        if os.path.isdir(where):
            return where
        with locked(f"{self.arch}-{name}"):
            if not os.path.isdir(where):
                with appearing(where) as scratch:
                    self._download(name, version, scratch)
        return where

    def _download(self, name, version, scratch):
        """Fetch one .deb and unpack it into `scratch`."""
        say(f"fetching {name} {version} ({self.arch})")
        debs = os.path.join(scratch, ".deb")
        os.mkdir(debs)
        try:
            run(["apt-get", "download", "-q", f"{name}={version}"], self.config, debs)
        except Failure:
            # The mirror has moved on since the lists were read: read them, try once more.
            self.refresh()
            version = self.show(name)["Version"]
            run(["apt-get", "download", "-q", f"{name}={version}"], self.config, debs)
        deb, = glob.glob(os.path.join(debs, "*.deb"))
        run(["dpkg-deb", "-x", deb, scratch])
        shutil.rmtree(debs)


# --- commands ---------------------------------------------------------------

def fetch(packages, arch="arm64", suite=None, deps=False):
    """Unpacked directories of packages (with their dependencies if `deps`)."""
    root = AptRoot(arch, suite).open()
    if deps:
        wanted = root.closure(packages)
    else:
        wanted = [(name, root.show(name)["Version"]) for name in packages]
    return [root.unpack(name, version) for name, version in wanted]


def source(packages):
    """Directory of the first of these source packages that the mirror can serve.

    Mirrors are not always complete for sources; a caller that needs a library
    which several source packages carry (libfdt: device-tree-compiler, u-boot)
    names them in order of preference.
    """
    for package in packages[:-1]:
        try:
            return source_of(package)
        except Failure as failure:
            say(f"warning: {failure}")
    return source_of(packages[-1])


def source_of(package):
    """Directory of a source package as Debian ships it, its own patches applied."""
    root = AptRoot("arm64", source=True).open()
    uris = root.ask(["apt-get", "source", "-q", "--print-uris", "--download-only", package])
    match = re.search(r"^'[^']*/([^/']+)\.dsc' ", uris, re.M)
    if not match:
        raise Failure(f"Debian has no source package {package}; check its name")
    where = os.path.join(CACHE, "debian", "source", urllib.parse.unquote(match[1]))
    if os.path.isdir(where):
        return where
    with locked(f"source-{package}"):
        if not os.path.isdir(where):
            say(f"fetching the source of {package} ({match[1]})")
            with tempfile.TemporaryDirectory(prefix="bulkhead-") as scratch:
                run(["apt-get", "source", "-q", "--download-only", package], root.config, scratch)
                dsc, = glob.glob(os.path.join(scratch, "*.dsc"))
                tree = os.path.join(scratch, "tree")
                run(["dpkg-source", "--no-check", "-x", dsc, tree], cwd=scratch)
                with appearing(where) as final:
                    shutil.copytree(tree, final, symlinks=True, dirs_exist_ok=True)
    return where


def decompress(data, name):
    """A kernel as firmware would enter it: Image or zImage, from gzip or EFI zboot."""
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    # EFI zboot header: Linux, drivers/firmware/efi/libstub/zboot-header.S.
    if data[:2] == b"MZ" and data[4:8] == b"zimg":
        offset, size = struct.unpack_from("<II", data, 8)
        kind = data[24:56].split(b"\0")[0].decode("ascii", "replace")
        payload = data[offset:offset + size]
        if kind.startswith("gzip"):
            return gzip.decompress(payload)
        if kind.startswith(("xz", "lzma")):
            return lzma.decompress(payload)
        if kind.startswith("zstd"):
            return subprocess.run(["zstd", "-dc"], input=payload, stdout=subprocess.PIPE,
                                  check=True).stdout
        raise Failure(f"{name} is an EFI image compressed with {kind}, which is not known here")
    return data


def check_kernel(data, name):
    """Raise unless `data` is an arm64 Image or an arm zImage."""
    arm64 = data[56:60] == b"ARM\x64"  # Linux, Documentation/arm64/booting.rst
    arm = data[36:40] == b"\x18\x28\x6f\x01"  # Linux, Documentation/arm/booting.rst
    if not (arm64 or arm):
        raise Failure(f"{name} is neither an arm64 Image nor an arm zImage")


def kernel(flavour):
    """Paths of one of Debian's kernels: image, vmlinuz, modules, config and its release."""
    if flavour not in KERNELS:
        raise Failure(f"no kernel flavour {flavour}; there are {', '.join(KERNELS)}")
    arch, meta, backports = KERNELS[flavour]
    root = AptRoot(arch, f"{host_codename()}-backports" if backports else None).open()
    depends = root.show(meta).get("Depends", "")
    match = re.search(r"linux-image-[0-9][^\s,(]*", depends)
    if not match:
        raise Failure(f"{meta} depends on no kernel image (Depends: {depends})")
    name = match[0]
    where = root.unpack(name, root.show(name)["Version"])
    release = name[len("linux-image-"):]
    if release.endswith("-unsigned"):
        release = release[:-len("-unsigned")]
    vmlinuz = os.path.join(where, "boot", f"vmlinuz-{release}")
    image = os.path.join(CACHE, "debian", arch, "images", f"Image-{os.path.basename(where)}")
    if not os.path.exists(image):
        make_image(vmlinuz, image)
    modules = os.path.join(where, "lib", "modules", release)
    if not os.path.isdir(modules):
        modules = os.path.join(where, "usr", "lib", "modules", release)
    return {"image": image, "vmlinuz": vmlinuz, "modules": modules, "release": release,
            "config": os.path.join(where, "boot", f"config-{release}")}


def make_image(vmlinuz, image):
    """Write the kernel decompressed, atomically."""
    with open(vmlinuz, "rb") as file:
        data = decompress(file.read(), vmlinuz)
    check_kernel(data, vmlinuz)
    os.makedirs(os.path.dirname(image), exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(image), delete=False) as file:
        file.write(data)
    os.chmod(file.name, 0o644)
    os.rename(file.name, image)


def xen():
    """Path of stock Xen's arm64 image."""
    where, = fetch([XEN_PACKAGE])
    # The package ships the image and its signed-EFI form, either may be compressed.
    for pattern in ("boot/xen-*-arm64", "boot/xen-*-arm64.gz", "boot/xen-*"):
        for path in sorted(glob.glob(os.path.join(where, pattern))):
            if path.endswith((".efi", ".config", ".map")):
                continue
            image = os.path.join(CACHE, "debian", "arm64", "images", os.path.basename(where))
            if not os.path.exists(image):
                make_image(path, image)
            return image
    raise Failure(f"{XEN_PACKAGE} holds no boot/xen-* image")


def update():
    """Read the lists of every private root again."""
    for path in sorted(glob.glob(os.path.join(CACHE, "apt", "*", "apt.conf"))):
        name = os.path.basename(os.path.dirname(path))
        if name == "source":
            AptRoot("arm64", source=True).refresh()
        else:
            arch, _, suite = name.partition("-")
            AptRoot(arch, suite or None).refresh()


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    one = commands.add_parser("fetch", help="print the unpacked directory of each package")
    one.add_argument("--arch", default="arm64", help="Debian architecture (arm64)")
    one.add_argument("--suite", help="for example bookworm-backports")
    one.add_argument("--deps", action="store_true", help="with everything they depend on")
    one.add_argument("packages", nargs="+", metavar="PKG")
    one = commands.add_parser("source", help="print the directory of an unpacked source package")
    one.add_argument("packages", nargs="+", metavar="PKG",
                     help="in order of preference: the first that the mirror can serve")
    one = commands.add_parser("kernel", help="print the paths of one of Debian's kernels")
    one.add_argument("flavour", choices=sorted(KERNELS))
    one.add_argument("--print", dest="key", metavar="KEY",
                     choices=("image", "vmlinuz", "modules", "release", "config"),
                     help="only this path: image, vmlinuz, modules, release or config")
    commands.add_parser("xen", help="print the path of stock Xen 4.17's image")
    commands.add_parser("update", help="read the package lists again")
    return parser.parse_args()


def main():
    """Run one command; 0 on success, 1 with one sentence on stderr otherwise."""
    given = arguments()
    try:
        if given.command == "fetch":
            print("\n".join(fetch(given.packages, given.arch, given.suite, given.deps)))
        elif given.command == "source":
            print(source(given.packages))
        elif given.command == "kernel":
            found = kernel(given.flavour)
            if given.key:
                print(found[given.key])
            else:
                print("\n".join(f"{key}={value}" for key, value in found.items()))
        elif given.command == "xen":
            print(xen())
        else:
            update()
    except Failure as failure:
        print(f"debian: error: {failure}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"debian: error: {error}; is there space and permission in {CACHE}?",
              file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
