"""Boot test guests on a hypervisor (or on the bare board) and collect what they print.

Board: QEMU's virt board. Domain: one guest. boot(): run them, get a Transcript.
Used by tests/guest/run.py, bench/ and whoever else boots guests.
"""
import contextlib
import functools
import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from child import dies_with_parent  # noqa: E402  (tests/lib/child.py)

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGES = os.path.join(TOP, "build/arm64/tests/guest")
QEMU = "qemu-system-aarch64"
MODULE_BASE = 0x50000000
MODULE_STEP = 0x200000


class Board:
    """A QEMU virt board: what QEMU is told, and the device tree it gives."""

    def __init__(self, gic=3, cpus=2, memory=4096, cpu="cortex-a72", icount=True, el2=True):
        self.gic, self.cpus, self.memory, self.cpu = gic, cpus, memory, cpu
        self.icount, self.el2 = icount, el2

    def machine(self):
        """The -M argument."""
        return f"virt,gic-version={self.gic}" + (",virtualization=on" if self.el2 else "")

    def arguments(self):
        """QEMU's arguments but for the payload."""
        words = ["-M", self.machine(), "-cpu", self.cpu, "-smp", str(self.cpus),
                 "-m", str(self.memory), "-display", "none", "-nodefaults", "-nic", "none",
                 "-serial", "stdio", "-monitor", "none"]
        if self.icount:
            words += ["-icount", "shift=0,sleep=off"]
        return words

    def tree(self, directory):
        """QEMU's own device tree for this board, as source text."""
        blob = os.path.join(directory, "board.dtb")
        subprocess.run([QEMU, "-M", self.machine() + f",dumpdtb={blob}", "-cpu", self.cpu,
                        "-smp", str(self.cpus), "-m", str(self.memory), "-display", "none",
                        "-nic", "none"], check=True, stdin=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", blob], check=True,
                              stdout=subprocess.PIPE).stdout.decode()


class Domain:
    """One guest: its image and what its xen,domain node says."""

    def __init__(self, name, image=None, vcpus=1, memory=64, bootargs="", enhanced="no-xenstore",
                 vpl011=True, extra="", ramdisk=None):
        self.name, self.vcpus, self.memory = name, int(vcpus), int(memory)
        self.image = image or os.path.join(IMAGES, name)
        self.bootargs, self.enhanced, self.vpl011, self.extra = bootargs, enhanced, vpl011, extra
        self.ramdisk = ramdisk
        self.share_module = False  # its image lies where the guest before it has its own

    @classmethod
    def parse(cls, text):
        """From NAME:key=value,... on the command line."""
        name, _, options = text.partition(":")
        return cls(name, **dict(o.split("=", 1) for o in options.split(",") if o))

    def node(self, index, address):
        """Its device tree node (dom0less binding), and the modules as (file, address)."""
        modules = [("multiboot,kernel", self.image, self.bootargs)]
        if self.ramdisk:
            modules.append(("multiboot,ramdisk", self.ramdisk, None))
        text, files = "", []
        for kind, path, bootargs in modules:
            size = os.path.getsize(path)
            text += (f"module@{address:x} {{ compatible = \"{kind}\", \"multiboot,module\"; "
                     f"reg = <0x0 {address:#x} 0x0 {size:#x}>; ")
            text += f"bootargs = \"{bootargs}\"; }};\n" if bootargs is not None else "};\n"
            files.append((path, address))
            address += (size + MODULE_STEP - 1) // MODULE_STEP * MODULE_STEP + MODULE_STEP
        enhanced = f"xen,enhanced = \"{self.enhanced}\";" if self.enhanced else ""
        return (f"domU{index} {{ compatible = \"xen,domain\"; #address-cells = <2>; "
                f"#size-cells = <2>; memory = <0x0 {self.memory * 1024:#x}>; "
                f"cpus = <{self.vcpus}>; {'vpl011;' if self.vpl011 else ''} {enhanced} "
                f"{self.extra}\n{text}}};\n"), files, address


@functools.lru_cache(maxsize=None)
def hypervisor_path(name):
    """`bulkhead`, `xen` or a path, as the path of an image."""
    if name == "bulkhead":
        return os.path.join(TOP, "build/arm64/bulkhead")
    if name == "xen":
        if path := os.environ.get("BULKHEAD_XEN"):
            return path
        tool = os.path.join(TOP, "tools/debian.py")
        out = subprocess.run([sys.executable, tool, "xen"], check=True, stdout=subprocess.PIPE)
        path = out.stdout.decode().strip()
        inner = os.path.join(path, "boot/xen-4.17-arm64")
        return inner if os.path.exists(inner) else path
    return name


def command(on, board, domains, directory, xen_args="", plugin=None, edit=None):
    """The QEMU command line that boots `domains` on hypervisor `on`; writes the tree it needs.

    `edit` may change the tree's source.
    """
    words = [QEMU] + board.arguments()
    if plugin:
        words += ["-plugin", plugin]
    if on == "bare":
        return words + ["-kernel", domains[0].image, "-append", domains[0].bootargs]
    nodes, files, address = "", [], MODULE_BASE
    for index, domain in enumerate(domains, 1):
        text, more, after = domain.node(index, address)
        nodes += text
        files += [file for file in more if file not in files]
        address = address if domain.share_module else after
    source = board.tree(directory) + (
        "/ { chosen { #address-cells = <2>; #size-cells = <2>; "
        f"xen,xen-bootargs = \"console=dtuart bootscrub=0 {xen_args}\";\n{nodes}}}; }};\n")
    source = edit(source) if edit else source
    blob = os.path.join(directory, "tree.dtb")
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", blob], check=True,
                   input=source.encode())
    words += ["-kernel", hypervisor_path(on), "-dtb", blob]
    for path, at in files:
        words += ["-device", f"loader,file={path},addr={at:#x},force-raw=on"]
    return words


class Nudge:
    """Gives a starving CPU its turn, by stopping and continuing the machine in mid-run.

    Under -icount QEMU 7.2 passes the turn on when a CPU sleeps or yields. When
    it merely exhausts its budget, a due timer leaves the next CPU nothing
    (accel/tcg/tcg-accel-ops-rr.c: icount_prepare_for_run with deadline 0). Stock
    Xen waits for other CPUs in plain loops while it boots, and would wait for
    ever. The virtual clock stands still meanwhile: no figure changes.
    """

    def __init__(self, directory):
        self.path = os.path.join(directory, "qmp")
        self.socket = None

    def arguments(self):
        """For QEMU's command line."""
        return ["-qmp", f"unix:{self.path},server=on,wait=off"]

    def __call__(self):
        try:
            if not self.socket:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.settimeout(1)
                self.socket.connect(self.path)
                self.socket.sendall(b'{"execute":"qmp_capabilities"}')
            self.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while self.socket.recv(65536):
                    pass
            self.socket.settimeout(1)
            self.socket.sendall(b'{"execute":"stop"}{"execute":"cont"}')
        except OSError:
            self.close()

    def close(self):
        """Forget the connection."""
        if self.socket:
            self.socket.close()
        self.socket = None


class Transcript:
    """What came out: raw lines, and each guest's own lines taken apart."""

    def __init__(self, names):
        self.raw = []
        self.lines = {name: [] for name in names}
        self.times = {name: [] for name in names}
        self.seconds = 0.0
        self.ended = ""

    def add(self, line):
        """Sort one console line to the guest whose name it bears."""
        self.raw.append(line)
        for name, lines in self.lines.items():
            if match := re.search(rf"(?:^|[ )>:\]]){re.escape(name)}: (.*)$", line):
                lines.append(match[1])
                self.times[name].append(time.monotonic())
                return

    def plan(self, name):
        """The number of tests announced, or None."""
        for line in self.lines[name]:
            if match := re.match(r"1\.\.(\d+)$", line):
                return int(match[1])
        return None

    def results(self, name):
        """(good, text) of each TAP result."""
        return [(m[1] is None, m[2]) for line in self.lines[name]
                if (m := re.match(r"(not )?ok \d+ (?:- )?(.*)$", line))]


def boot(on, domains, board=None, timeout=60, wait_for=None, xen_args="", plugin=None, quiet=True,
         watch=None):
    """Boot and collect until every guest of `wait_for` (default all) has printed its plan.

    Ends QEMU by its process id in every case; `watch(line)` may end the wait by returning True.
    """
    board = board or Board()
    if on == "bare":
        board = Board(board.gic, domains[0].vcpus, board.memory, board.cpu, board.icount, False)
    names = [d.name for d in domains]
    transcript = Transcript(names)
    waiting = set(wait_for if wait_for is not None else names)
    with tempfile.TemporaryDirectory(prefix="bulkhead-guest-") as directory:
        words = command(on, board, domains, directory, xen_args, plugin)
        nudge = Nudge(directory) if board.icount and board.cpus > 1 and on != "bare" else None
        words += nudge.arguments() if nudge else []
        began = time.monotonic()
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT,
        preexec_fn=dies_with_parent)
        try:
            transcript.ended = follow(process, transcript, waiting, began + timeout, quiet, watch,
                                      nudge)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        transcript.seconds = time.monotonic() - began
    return transcript


def follow(process, transcript, waiting, deadline, quiet, watch, nudge=None):
    """Read lines until nobody is waited for; says how it ended."""
    os.set_blocking(process.stdout.fileno(), False)
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    pending = b""
    while waiting:
        left = deadline - time.monotonic()
        if left <= 0:
            return "timeout"
        if not selector.select(min(left, 0.05) if nudge else left):
            if nudge:
                nudge()
            continue
        data = process.stdout.read(65536)
        if data == b"":
            return "exit"
        pending += data or b""
        *lines, pending = pending.split(b"\n")
        for raw in lines:
            line = raw.decode("latin-1").replace("\r", "")
            if not quiet:
                print("    " + line, flush=True)
            transcript.add(line)
            waiting -= {n for n in waiting if re.search(rf"\b{re.escape(n)}: 1\.\.\d+$", line)}
            if watch and watch(line):
                return "watched"
    return "done"
