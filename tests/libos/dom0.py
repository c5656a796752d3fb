"""A board with stock Xen 4.17 and a Debian dom0 (netback, blkback, xl) that starts our images.

The dom0's network card is QEMU's user network, bridged: a unikernel gets its
address from QEMU's DHCP server and is reached from the host by port forwarding.
"""
import io
import os
import socket
import subprocess
import sys
import tarfile
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "app"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import board
import toolchain

PROGRAMS = ["xen-utils-4.17:xl", "xen-utils-4.17:xenstored", "xen-utils-4.17:xenconsoled",
            "xen-utils-4.17:xen-init-dom0", "xen-utils-4.17:libxl-save-helper",
            "xenstore-utils:xenstore-read", "xenstore-utils:xenstore-write",
            "xenstore-utils:xenstore-list", "xenstore-utils:xenstore-ls",
            "xenstore-utils:xenstore-rm", "xenstore-utils:xenstore-exists",
            "xenstore-utils:xenstore-watch", "iproute2:ip", "iproute2:bridge",
            "bridge-utils:brctl", "util-linux:flock"]
MODULES = ["virtio_mmio", "virtio_net", "virtio_blk", "bridge", "xenfs", "xen-evtchn",
           "xen-gntdev", "xen-privcmd", "xen-netback", "xen-blkback"]


def initramfs():
    """dom0's root file system, from the cache or built from Debian packages."""
    common = toolchain.debian("fetch", "xen-utils-common")
    command = [sys.executable, os.path.join(ROOT, "tools/initramfs.py"), "--kernel", "arm64"]
    for program in PROGRAMS:
        command += ["--program", program]
    for module in MODULES:
        command += ["--module", module]
    command += ["--file", f"{common}/etc/xen/scripts=/etc/xen/scripts",
                "--file", f"{ROOT}/tests/libos/dom0.sh=/tests/dom0"]
    script = toolchain.file_digest(f"{ROOT}/tests/libos/dom0.sh")
    return toolchain.remembered(f"dom0 {script} " + " ".join(command[2:]),
                                lambda: toolchain.run(command).strip().split("\n")[-1])


def free_port():
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Dom0:
    """The running board. `files` ({name: bytes}) lie in /apps; start.sh among them is run."""

    def __init__(self, files, forwards=(), disk=None, seconds=900, cpus=2, icount=False):
        self.directory = tempfile.TemporaryDirectory(prefix="bulkhead-")
        self.text = ""
        where = self.directory.name
        with tarfile.open(os.path.join(where, "apps.tar"), "w") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                info.mode = 0o755
                tar.addfile(info, io.BytesIO(content))
        with open(os.path.join(where, "apps.tar"), "ab") as file:
            file.truncate((file.tell() + 511) & ~511)
        kernel = toolchain.debian("kernel", "arm64", "--print", "image")
        forward = "".join(f",hostfwd={kind}:127.0.0.1:{host}-10.0.2.{address}:{guest}"
                          for kind, host, guest, address in forwards)
        options = ["-global", "virtio-mmio.force-legacy=false",
                   "-netdev", f"user,id=n0{forward}", "-device", "virtio-net-device,netdev=n0",
                   "-drive", f"file={where}/apps.tar,if=none,id=apps,format=raw,readonly=on",
                   "-device", "virtio-blk-device,drive=apps,serial=apps"]
        if disk:
            options += ["-drive", f"file={disk},if=none,id=data,format=raw,cache=writeback",
                        "-device", "virtio-blk-device,drive=data,serial=data"]
        if icount:
            options += ["-icount", "shift=0,sleep=off"]
        command = self.command(kernel, options, cpus)
        self.process = subprocess.Popen(["timeout", str(seconds)] + command,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)

    def command(self, kernel, options, cpus):
        """QEMU with a dom0 in the classic form of Xen's boot protocol."""
        where = self.directory.name
        plain = os.path.join(where, "board.dtb")
        subprocess.run(["qemu-system-aarch64", "-M",
                        f"virt,virtualization=on,gic-version=3,dumpdtb={plain}", "-cpu",
                        "cortex-a72", "-smp", str(cpus), "-m", "1536", "-nic", "none",
                        "-display", "none"], check=True, stderr=subprocess.DEVNULL)
        source = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", plain], check=True,
                                stdout=subprocess.PIPE).stdout.decode()
        image, ramdisk = 0x50000000, 0x54000000
        root = initramfs()
        source += ("\n/ { chosen { #address-cells = <2>; #size-cells = <2>; "
                   'xen,xen-bootargs = "console=dtuart dom0_mem=640M bootscrub=0 '
                   'guest_loglvl=all loglvl=warning xsm=dummy"; '
                   'xen,dom0-bootargs = "console=hvc0 quiet loglevel=4 bulkhead.run=dom0 '
                   'bulkhead.name=dom0"; '
                   + board.module_node("kernel", kernel, image)
                   + board.module_node("ramdisk", root, ramdisk) + " }; };\n")
        tree = os.path.join(where, "tree.dtb")
        subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", tree], check=True,
                       input=source.encode())
        return (["qemu-system-aarch64"] + board.MACHINE
                + ["-smp", str(cpus), "-m", "1536", "-nic", "none", "-display", "none",
                   "-serial", "stdio", "-monitor", "none", "-kernel", board.stock_xen(),
                   "-dtb", tree,
                   "-device", f"loader,file={kernel},addr={image:#x},force-raw=on",
                   "-device", f"loader,file={root},addr={ramdisk:#x},force-raw=on"] + options)

    def wait_for(self, *wanted):
        """Read the console until it shows one of the texts; False if the board ends first."""
        while not any(text in self.text for text in wanted):
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                return False
            self.text += chunk.decode("utf-8", "replace").replace("\r", "")
            if os.environ.get("LIBOS_CONSOLE"):
                sys.stderr.write(chunk.decode("utf-8", "replace").replace("\r", ""))
        return True

    def stop(self):
        """End the board."""
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()
