"""A board under test: QEMU with a hypervisor and guests, its serial line as events.

    with Board("two-guests", [Guest("home"), Guest("work")], cpus=2) as board:
        board.expect("home", r"home:~# ", timeout=60)

The host tool composes and starts everything, as for a user. What arrives on
the serial line is split by the hypervisor's own marks into lines of each
domain; all of it is kept in build/logs/NAME.log. QEMU always ends with the
`with` block. Time-outs are for an idle machine with two cores and stretched by
$SLOW (default 4).
"""
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tools"))
sys.path.insert(0, os.path.join(TOP, "tests/lib"))
from child import dies_with_parent  # noqa: E402  (tests/lib/child.py)
import debian  # noqa: E402
import initramfs  # noqa: E402

TOOL = os.path.join(TOP, "build", "host", "bulkhead")
OURS = os.path.join(TOP, "build", "arm64", "bulkhead")
LOGS = os.path.join(TOP, "build", "logs")
SLOW = float(os.environ.get("SLOW", "4"))

# What a healthy system never prints.
TROUBLE = re.compile(r"(Kernel panic|Oops|BUG:|Unable to handle|Internal error: |soft lockup|"
                     r"rcu: INFO: .*stall|assertion|CHECK failed|Unexpected Trap)", re.I)


# The hypervisor's own end: waiting for more is in vain.
FATAL = re.compile(r"Bulkhead stopped on CPU|Panic on CPU")


class Failed(Exception):
    """A test's expectation that was not met."""


class Guest:
    """One domain of a test, as its domain file will say."""

    def __init__(self, name, kernel="arm64", vcpus=1, memory=192, run=(), then="", extra="",
                 programs=(), modules=(), files=(), uart=True, **keys):
        self.name = name
        self.kernel = kernel
        self.vcpus = vcpus
        self.memory = memory
        self.run = tuple(run)
        self.then = then
        self.extra = extra
        self.programs = tuple(programs)
        self.modules = tuple(modules)
        self.files = tuple(files)  # FROM=TO
        self.uart = uart
        self.keys = keys

    def ramdisk(self):
        """The root file system with the test scripts and programs asked for."""
        words = ["--arch", debian.KERNELS[self.kernel][0],
                 "--file", os.path.join(HERE, "guest") + "=/tests"]
        for program in self.programs:
            words += ["--program", program]
        for file in self.files:
            words += ["--file", file]
        if self.modules:
            words += ["--kernel", self.kernel]
        for module in self.modules:
            words += ["--module", module]
        return initramfs.make(initramfs.parser().parse_args(words))

    def command_line(self):
        """The kernel's command line."""
        words = ["console=ttyAMA0", f"bulkhead.name={self.name}", f"bulkhead.vcpus={self.vcpus}"]
        if self.run:
            words.append("bulkhead.run=" + ",".join(self.run))
        if self.then:
            words.append("bulkhead.then=" + self.then)
        return " ".join(words + ([self.extra] if self.extra else []))

    def text(self):
        """The domain file."""
        keys = {"name": self.name, "memory": self.memory, "vcpus": self.vcpus,
                "kernel": debian.kernel(self.kernel)["image"], "ramdisk": self.ramdisk(),
                "extra": self.command_line(), **self.keys}
        if self.uart:
            keys["vuart"] = "sbsa_uart"
        return "".join(f"{key} = {literal(value)}\n" for key, value in keys.items())


def literal(value):
    """A value in the syntax of xl.cfg(5)."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return str(value) if isinstance(value, int) else '"' + value.replace('"', '\\"') + '"'


class BulkheadMarks:
    """How Bulkhead's console shows who speaks: `(name) text`; the focused domain raw."""

    def __init__(self, guests):
        self.names = [guest.name for guest in guests]
        self.mark = re.compile(r"^\((" + "|".join(map(re.escape, self.names)) + r")\) ?(.*)$")
        self.focused = self.names[0] if self.names else None

    @staticmethod
    def clean(text):
        """Without what is erased to be drawn again below (after ESC [2K), and what is shown
        again (dimmed, from ESC [2m to ESC [22m); and the end that is not yet complete."""
        text = re.sub(r"\x1b\[2m.*?\x1b\[22m", "", text, flags=re.DOTALL)
        whole, dim, rest = text.partition("\x1b[2m")
        return re.sub(r"[^\n]*\x1b\[2K", "", whole), dim + rest

    def split(self, line):
        """(domain or None, text) of one line."""
        moved = re.match(r"^--- (?:(\S+)|the hypervisor.*) has keyboard and screen", line)
        if moved:
            self.focused = moved[1]
            return None, line
        match = self.mark.match(line)
        return (match[1], match[2]) if match else (self.focused, line)

    def keys_to(self, name):
        """What to type to come nearer to `name` (None: the hypervisor)."""
        return b"" if name == self.focused else b"\x14"


class XenMarks:
    """The same for stock Xen without dom0: `(XEN) DOM1: text`."""

    def __init__(self, guests):
        self.names = [guest.name for guest in guests]
        self.focused = None

    @staticmethod
    def clean(text):
        """Xen's console shows nothing twice."""
        return text, ""

    def split(self, line):
        """(domain or None, text) of one line."""
        match = re.match(r"^(?:\(XEN\) )?DOM(\d+): ?(.*)$", line)
        if match and 1 <= int(match[1]) <= len(self.names):
            return self.names[int(match[1]) - 1], match[2]
        if line.startswith("(XEN) "):
            line = line[6:]
        return self.focused, line

    def keys_to(self, name):
        """Three times Ctrl-A for each step: DOM0 (absent), DOM1, ..., Xen."""
        ring = ["dom0"] + self.names + [None]
        current = self.focused if self.focused in self.names else "dom0"
        steps = (ring.index(name) - ring.index(current)) % len(ring)
        self.focused = name
        # QEMU takes the first Ctrl-A of each pair for itself.
        return b"\x01\x01" * (3 * steps)


class Board:
    """QEMU running `guests` on `hypervisor`; see the module's description."""

    def __init__(self, name, guests, cpus=2, memory=4096, gic=3, hypervisor=None, bootargs=None,
                 cpu="cortex-a72", firmware=None, disk_mib=0, icount=False):
        self.name = name
        self.guests = guests
        chosen = hypervisor or os.environ.get("BULKHEAD_HYPERVISOR") or OURS
        self.is_xen = chosen == "xen" or "xen-hypervisor" in chosen
        self.hypervisor = debian.xen() if chosen == "xen" else chosen
        self.options = ["--cpus", str(cpus), "--memory", str(memory), "--cpu", cpu,
                        "--machine", f"gic-version={gic}"]
        if bootargs:
            self.options += ["--bootargs", bootargs]
        if icount:
            self.options.append("--icount")
        self.firmware = firmware
        self.bare = ["-M", f"virt,virtualization=on,gic-version={gic}", "-cpu", cpu,
                     "-smp", str(cpus), "-m", str(memory), "-nographic", "-nic", "none"]
        self.disk_mib = disk_mib
        self.marks = (XenMarks if self.is_xen else BulkheadMarks)(guests)
        self.lines = []     # (seconds since start, domain or None, text)
        self.partial = ""   # the line that has not ended yet
        self.held = ""      # what cannot be judged before more arrives
        self.read_to = {}   # domain -> index into lines up to which expect() has looked
        self.process = None
        self.log = None
        self.folder = None
        self.began = 0.0
        self.ended = False
        self.fatal = None   # the hypervisor's last words

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="bulkhead-test-")
        files = []
        for guest in self.guests:
            files.append(os.path.join(self.folder, guest.name + ".cfg"))
            with open(files[-1], "w", encoding="utf-8") as file:
                file.write(guest.text())
        os.makedirs(LOGS, exist_ok=True)
        self.log = open(os.path.join(LOGS, self.name + ".log"), "wb")
        command = self._command(files, self._disk() if self.disk_mib else [])
        self.process = subprocess.Popen(command, cwd=TOP, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True, preexec_fn=dies_with_parent)
        self.began = time.monotonic()
        return self

    def _disk(self):
        """A disk of QEMU's on the board's first virtio-mmio bus, a network card on its ninth.

        Eight share a page, which is what a guest can be given.
        """
        path = os.path.join(self.folder, "disk.img")
        with open(path, "wb") as file:
            file.truncate(self.disk_mib << 20)
        return ["-drive", f"file={path},if=none,id=disk,format=raw", "-global",
                "virtio-mmio.force-legacy=off", "-device",
                "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0", "-netdev",
                "user,id=net,restrict=on", "-device",
                "virtio-net-device,netdev=net,bus=virtio-mmio-bus.8"]

    def _command(self, files, extra):
        """What to start: the host tool's `run`, or firmware with what its `build` wrote."""
        if not self.firmware:
            command = [TOOL, "run", "--quiet", "--hypervisor", self.hypervisor] + self.options
            return command + files + (["--"] + extra if extra else [])
        disk = os.path.join(self.folder, "disk")
        subprocess.run([TOOL, "build", "--hypervisor", self.hypervisor, "-o", disk] + self.options
                       + files, check=True, cwd=TOP, stdout=self.log, stderr=self.log)
        return ["qemu-system-aarch64"] + self.bare + [
            "-bios", self.firmware, "-drive", f"file=fat:rw:{disk},if=none,id=boot,format=raw",
            "-device", "virtio-blk-device,drive=boot"] + extra

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def elapsed(self):
        """Seconds since QEMU was started."""
        return time.monotonic() - self.began

    def _pump(self, seconds):
        """Read what has arrived, waiting at most so long; false if QEMU has ended."""
        ready, _, _ = select.select([self.process.stdout], [], [], max(seconds, 0))
        if not ready:
            return True
        data = os.read(self.process.stdout.fileno(), 65536)
        if not data:
            self.ended = True
            return False
        self.log.write(data)
        self.log.flush()
        text, self.held = self.marks.clean(self.partial + self.held
                                           + data.decode("utf-8", "replace"))
        *whole, self.partial = text.replace("\r", "").split("\n")
        for line in whole:
            self.lines.append((self.elapsed(), *self.marks.split(line)))
            if FATAL.search(line):
                self.fatal = f"the hypervisor stopped ({line.strip()})"
        return True

    def _look(self, domain, pattern, whole=False):
        """The first match in what has not been looked at yet, and consume up to it."""
        start = self.read_to.get(domain, 0)
        for index in range(start, len(self.lines)):
            _, who, text = self.lines[index]
            if who == domain:
                match = pattern.search(text)
                if match:
                    self.read_to[domain] = index + 1
                    return match
        self.read_to[domain] = len(self.lines)
        who, text = self.marks.split(self.partial)
        return pattern.search(text) if who == domain and not whole else None

    def expect(self, domain, pattern, timeout, whole=False):
        """Wait until `domain` (None: the hypervisor) prints `pattern`; return the match.

        A line that has not ended yet may match, and then is not consumed: it will match
        again. With `whole` only lines that have ended are looked at.
        """
        wanted = re.compile(pattern)
        deadline = time.monotonic() + timeout * SLOW
        while True:
            match = self._look(domain, wanted, whole)
            if match:
                return match
            left = deadline - time.monotonic()
            if self.ended or self.fatal or left <= 0:
                why = "QEMU ended" if self.ended else self.fatal \
                    or f"not within {timeout * SLOW:.0f} s"
                raise Failed(f"{domain or 'the hypervisor'} did not print {pattern!r}: {why}\n"
                             + self.tail(domain))
            self._pump(min(left, 5))

    def send(self, domain, text):
        """Type `text` at `domain`'s console.

        Stock Xen drops what does not fit a guest's 32-byte FIFO: there we type
        like a person. We do not: nothing that is pasted may be lost.
        """
        if self.partial and domain != self.marks.focused:
            # What has been said so far belongs to whoever had the keyboard.
            self.lines.append((self.elapsed(), *self.marks.split(self.partial)))
            self.partial = ""
        if not self.is_xen:
            self._move_to(domain)
        data = self.marks.keys_to(domain) + text.encode().replace(b"\x01", b"\x01\x01")
        step = 8 if self.is_xen else max(len(data), 1)
        for begin in range(0, len(data), step):
            self.process.stdin.write(data[begin:begin + step])
            self.process.stdin.flush()
            if self.is_xen:
                self.drain(0.2)

    def _move_to(self, domain):
        """Ctrl-T until Bulkhead says that `domain` has the keyboard."""
        for _ in range(len(self.guests) + 1):
            before, deadline = self.marks.focused, time.monotonic() + 10 * SLOW
            if before == domain:
                return
            self.process.stdin.write(self.marks.keys_to(domain))
            self.process.stdin.flush()
            while self.marks.focused == before and time.monotonic() < deadline:
                self._pump(1)
        raise Failed(f"Ctrl-T does not lead to {domain or 'the hypervisor'}\n{self.tail(domain)}")

    def drain(self, seconds):
        """Read for so long, whatever comes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._pump(deadline - time.monotonic()):
            pass

    def text_of(self, domain):
        """All lines of one domain so far."""
        return [text for _, who, text in self.lines if who == domain]

    def tail(self, domain, count=15):
        """The last lines of a domain and of all, for a failure's report."""
        own = [f"  | {text}" for text in self.text_of(domain)[-count:]]
        everything = [f"  > {who or '-'}: {text}" for _, who, text in self.lines[-count:]]
        return "\n".join(own + [f"  all, to the end of build/logs/{self.name}.log:"] + everything)

    def trouble(self):
        """The first line of anybody that no healthy system prints, or None."""
        for _, who, text in self.lines:
            if TROUBLE.search(text):
                return f"{who or 'hypervisor'}: {text}"
        return None


class Tap:
    """Prints results as TAP; `plan` first."""

    def __init__(self, plan):
        self.number = 0
        self.failures = 0
        print(f"1..{plan}", flush=True)

    def result(self, name, wrong=None, skip=None, note=""):
        """One result: `wrong` tells what failed, `skip` why it was not run."""
        self.number += 1
        self.failures += wrong is not None
        tail = f" # SKIP {skip}" if skip else (f" ({note})" if note else "")
        print(f"{'ok' if wrong is None else 'not ok'} {self.number} - {name}{tail}", flush=True)
        for line in (wrong or "").splitlines():
            print(f"# {line}", flush=True)
