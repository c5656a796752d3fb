"""A board whose control domain runs Debian's xl: on stock Xen 4.17 as its dom0, on Bulkhead by its rights.

    with tested(Machine("transcript", "xen", run="start,transcript"), given) as (machine, tap):
        machine.wait(r"run transcript: exit 0", 300)
        tap.result(True, "it ran")
    return tap.status()

The same root file system (tools/control.py), the same kernel, the same
devices on both. The console is kept in build/logs/NAME.log; QEMU always ends
with the `with` block. Time-outs are for an idle machine and stretched by $SLOW.
"""
import argparse
import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, "tools"), os.path.join(TOP, "tests/lib")]
# pylint: disable=wrong-import-position
from child import dies_with_parent
import control
import debian

TOOL = os.path.join(TOP, "build/host/bulkhead")
OURS = os.path.join(TOP, "build/arm64/bulkhead")
LOGS = os.path.join(TOP, "build/logs")
SLOW = float(os.environ.get("SLOW", "4"))

# Where the peer's modules lie, away from where Xen puts its dom0.
KERNEL, RAMDISK = 0x58000000, 0x5C000000
FATAL = re.compile(r"Bulkhead stopped on CPU|Panic on CPU|Kernel panic - not syncing")


class Failed(Exception):
    """A test's expectation that was not met."""


class Tap:
    """Results as they come."""

    def __init__(self):
        self.count = self.bad = 0

    def result(self, good, what):
        """One line."""
        self.count += 1
        self.bad += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}", flush=True)

    def status(self):
        """The plan, when all is said; a program's status, 0 if all is well."""
        print(f"1..{self.count}")
        return 1 if self.bad or not self.count else 0


def parser(description):
    """A suite's words: what it is, and -v; when it is told to end, its QEMU ends with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    words = argparse.ArgumentParser(description=description,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("-v", "--verbose", action="store_true", help="show the console")
    return words


@contextlib.contextmanager
def tested(machine, given):
    """(session, results) for a `with`: what was Failed is a result; then the time, and with -v what was said."""
    tap = Tap()
    with machine:
        try:
            yield machine, tap
        except Failed as failure:
            tap.result(False, str(failure).replace("\n", "\n# "))
        print(f"# {machine.elapsed():.0f} s")
        if given.verbose:
            print(machine.text)


def guest_ramdisk(programs=(), files=()):
    """Root file system of a guest of xl, with the scripts of guest/."""
    return control.guest_ramdisk(programs, [os.path.join(HERE, "guest") + "=/tests"] + list(files))


def free_port():
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def assigned(devices):
    """Value of `assign` for the devices of these numbers: the card is 0, the disks follow."""
    return ", ".join(f'"/virtio_mmio@{0xa000000 + 0x1000 * i:x}"' for i in devices)


class Session:
    """A command with a console, by default QEMU's; its name is that of its log."""

    # pylint: disable=too-many-instance-attributes
    def __init__(self, name):
        self.name = name
        self.is_xen = False
        self.text = ""
        self.seen = 0
        self.ended = False
        self.process = self.log = self.folder = None
        self.began = 0.0

    def command(self):
        """The words of the command."""
        raise NotImplementedError

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="bulkhead-test-")
        os.makedirs(LOGS, exist_ok=True)
        self.log = open(os.path.join(LOGS, self.name + ".log"), "wb")
        self.process = subprocess.Popen(
            self.command(), cwd=TOP, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=dies_with_parent)
        self.began = time.monotonic()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)  # make and what it started
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()
        self.folder.cleanup()

    def elapsed(self):
        """Seconds since QEMU was started."""
        return time.monotonic() - self.began

    def pump(self, seconds):
        """Read what has arrived, waiting at most so long."""
        ready, _, _ = select.select([self.process.stdout], [], [], max(seconds, 0))
        if not ready:
            return
        data = os.read(self.process.stdout.fileno(), 65536)
        self.ended = not data
        self.log.write(data)
        self.log.flush()
        self.text += data.decode("utf-8", "replace").replace("\r", "")

    def wait(self, pattern, seconds):
        """Wait until the console shows `pattern` after what was waited for before; the match."""
        wanted = re.compile(pattern)
        deadline = time.monotonic() + seconds * SLOW
        while True:
            match = wanted.search(self.text, self.seen)
            if match:
                self.seen = match.end()
                return match
            fatal = FATAL.search(self.text, self.seen)
            left = deadline - time.monotonic()
            if self.ended or fatal or left <= 0:
                why = ("QEMU ended" if self.ended else fatal[0] if fatal
                       else f"not within {seconds * SLOW:.0f} s")
                tail = "\n".join("  | " + line for line in self.text.split("\n")[-20:])
                raise Failed(f"{pattern!r} was not shown: {why}\n{tail}\n"
                             f"  all in build/logs/{self.name}.log")
            self.pump(min(left, 5))

    def once(self):
        """All that came, without what a change of consoles has shown again (dimmed)."""
        return re.sub(r"\x1b\[2m.*?\x1b\[22m", "", self.text, flags=re.DOTALL)

    def send(self, text):
        """Type at the control domain's console."""
        for begin in range(0, len(text), 8 if self.is_xen else 4096):
            step = text[begin:begin + (8 if self.is_xen else 4096)]
            self.process.stdin.write(step.encode())
            self.process.stdin.flush()
            if self.is_xen:
                self.pump(0.2)


class Machine(Session):
    """QEMU with a hypervisor and a control domain; see the module's description."""

    # pylint: disable=too-many-arguments,too-many-instance-attributes
    def __init__(self, name, hypervisor, run, memory=2048, control_memory=768, cpus=2, extra="",
                 forwards=(), disks=(), files=(), programs=(), guest=None, options=(),
                 rights=None, domains=None, packages=(), own=None, board=()):
        super().__init__(name)
        self.is_xen = hypervisor == "xen"
        self.hypervisor = debian.xen() if self.is_xen else hypervisor
        self.run = run
        self.memory = memory
        self.control_memory = control_memory
        self.cpus = cpus
        self.extra = extra
        self.ramdisk = control.ramdisk(
            programs, [os.path.join(HERE, "inside") + "=/tests"] + list(files), guest,
            packages)
        self.options = self._devices(forwards, disks) + list(options)
        self.own = range(1 + len(disks)) if own is None else own  # of the devices: 0 is the card
        self.board = list(board)
        self.rights = rights or ["control *", "build", "store", "console", "schedule", "inspect *",
                                 "shutdown-host"]
        self.domains = domains or {}  # name: text of a domain file, beside the control domain

    @staticmethod
    def _devices(forwards, disks):
        """QEMU's network card and disks, each on a bus whose registers have a page for themselves."""
        rules = "".join(f",hostfwd=tcp:127.0.0.1:{host}-{address}:{port}"
                        for host, address, port in forwards)
        words = ["-global", "virtio-mmio.force-legacy=false", "-netdev", f"user,id=n0{rules}",
                 "-device", "virtio-net-device,netdev=n0,bus=virtio-mmio-bus.0"]
        for number, (serial, path) in enumerate(disks, 1):
            words += ["-drive", f"file={path},if=none,id={serial},format=raw,cache=writeback",
                      "-device", f"virtio-blk-device,drive={serial},serial={serial},"
                      f"bus=virtio-mmio-bus.{8 * number}"]
        return words

    def command_line(self):
        """Of the control domain's kernel."""
        return f"console=hvc0 loglevel=5 bulkhead.name=control bulkhead.run={self.run} {self.extra}"

    def _xen(self):
        """Stock Xen with a dom0 in the classic form of its boot protocol."""
        where = self.folder.name
        base = ["-cpu", "cortex-a72", "-smp", str(self.cpus), "-m", str(self.memory)]
        board = "virt,virtualization=on,gic-version=3"
        subprocess.run(["qemu-system-aarch64", "-M", f"{board},dumpdtb={where}/board.dtb"] + base
                       + ["-nic", "none", "-display", "none"], check=True,
                       stderr=subprocess.DEVNULL)
        source = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", f"{where}/board.dtb"],
                                check=True, stdout=subprocess.PIPE).stdout.decode()
        kernel = debian.kernel("arm64")["image"]
        modules, loaders = "", []
        for kind, path, address in (("kernel", kernel, KERNEL),
                                    ("ramdisk", self.ramdisk, RAMDISK)):
            modules += (f'module@{address:x} {{ compatible = "multiboot,{kind}", '
                        f'"multiboot,module"; reg = <0 {address:#x} 0 '
                        f"{os.path.getsize(path):#x}>; }}; ")
            loaders += ["-device", f"loader,file={path},addr={address:#x},force-raw=on"]
        source += ("\n/ { chosen { #address-cells = <2>; #size-cells = <2>; xen,xen-bootargs = "
                   f'"console=dtuart dom0_mem={self.control_memory}M bootscrub=0 guest_loglvl=none '
                   f'loglvl=all"; xen,dom0-bootargs = "{self.command_line()}"; {modules} }}; }};\n')
        subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", f"{where}/tree.dtb"],
                       check=True, input=source.encode())
        return (["qemu-system-aarch64", "-M", board] + base
                + ["-nographic", "-nic", "none", "-kernel", self.hypervisor, "-dtb",
                   f"{where}/tree.dtb"] + loaders + self.options)

    def _ours(self):
        """Bulkhead with a domain that holds the rights, by the host tool."""
        quoted = ", ".join(f'"{right}"' for right in self.rights)
        control_domain = (
            f"memory = {self.control_memory}\nvcpus = {self.cpus}\n"
            f'kernel = "{debian.kernel("arm64")["image"]}"\nramdisk = "{self.ramdisk}"\n'
            f'extra = "{self.command_line()}"\nxen_enhanced = "enabled"\nrights = [{quoted}]\n'
            f"direct_map = 1\nassign = [{assigned(self.own)}]\n")
        paths = []
        for name, text in [("control", control_domain)] + list(self.domains.items()):
            paths.append(os.path.join(self.folder.name, name + ".cfg"))
            with open(paths[-1], "w", encoding="utf-8") as file:
                file.write(f'name = "{name}"\n{text}')
        return ([TOOL, "run", "--quiet", "--hypervisor", self.hypervisor, "--cpus", str(self.cpus),
                 "--memory", str(self.memory)] + self.board + paths + ["--"] + self.options)

    def command(self):
        return self._xen() if self.is_xen else self._ours()
