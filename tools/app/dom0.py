"""A board with stock Xen 4.17 and a Debian dom0 (netback, blkback, xl) that starts our images.

The dom0's network card is QEMU's user network, bridged: a unikernel gets its
address from QEMU's DHCP server and is reached from the host by port forwarding.
"""
import io
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile

import board
import toolchain

ADDRESS = "10.0.2.21"  # of a unikernel started by run(), on QEMU's user network

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
    command = [sys.executable, os.path.join(toolchain.ROOT, "tools/initramfs.py"), "--kernel", "arm64"]
    for program in PROGRAMS:
        command += ["--program", program]
    for module in MODULES:
        command += ["--module", module]
    command += ["--file", f"{common}/etc/xen/scripts=/etc/xen/scripts",
                "--file", f"{toolchain.ROOT}/tests/libos/dom0.sh=/tests/dom0"]
    script = toolchain.file_digest(f"{toolchain.ROOT}/tests/libos/dom0.sh")
    return toolchain.remembered(f"dom0 {script} " + " ".join(command[2:]),
                                lambda: toolchain.run(command).strip().split("\n")[-1])


def free_port():
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Dom0:
    """The running board. `files` ({name: bytes}) lie in /apps; start.sh among them is run."""

    def __init__(self, files, forwards=(), disk=None, seconds=900, cpus=2, icount=False,
                 netdev=None):
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
                   "-netdev", netdev or f"user,id=net{forward}", "-device", "virtio-net-device,netdev=net",
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
                                        stderr=subprocess.STDOUT, preexec_fn=board.dies_with_parent)

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
        # `dummy` is what Xen calls its access control without a policy (xen-command-line, "xsm").
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
            if not self.wait_for_more():
                return False
        return True

    def wait_for_line(self, *expressions):
        """Read the console until a whole line matches one of them; False if the board ends first."""
        wanted = re.compile("(?:" + "|".join(expressions) + ").*\n", re.M)
        while not wanted.search(self.text):
            if not self.wait_for_more():
                return False
        return True

    def wait_for_more(self):
        """Add what the console says next to the text; False at its end."""
        chunk = os.read(self.process.stdout.fileno(), 65536)
        said = chunk.decode("utf-8", "replace").replace("\r", "")
        self.text += said
        if os.environ.get("LIBOS_CONSOLE"):
            sys.stderr.write(said)
        return bool(chunk)

    def stop(self):
        """End the board."""
        self.process.terminate()  # `timeout` hands it on to QEMU; a kill would leave that behind
        self.process.wait()
        self.directory.cleanup()


# Hotplug scripts that do what Xen's do, with fewer processes: on a loaded machine libxl kills
# vif-bridge and block after 40 seconds.
VIF_SCRIPT = b"""#!/bin/busybox sh
[ "$1" = online ] || exit 0
ip link set "$vif" up master xenbr0
xenstore-write "$XENBUS_PATH/hotplug-status" connected
"""
BLOCK_SCRIPT = b"""#!/bin/busybox sh
[ "$1" = add ] || exit 0
xenstore-write "$XENBUS_PATH/physical-device" "$(stat -L -c %t:%T /dev/data)"
xenstore-write "$XENBUS_PATH/hotplug-status" connected
"""


def config(name, memory_mib, extra="", net=None, disk=False):
    """An xl configuration; `net` is the last byte of MAC and address."""
    lines = [f'name = "{name}"', f'kernel = "/apps/{name}"', f"memory = {memory_mib}",
             "vcpus = 1", "acpi = 0", f'extra = "{extra}"', 'on_crash = "destroy"',
             'on_poweroff = "destroy"']
    if net:
        lines.append(f'vif = [ "bridge=xenbr0,script=/apps/vif,mac=00:16:3e:00:00:{net:02x}" ]')
    if disk:
        lines.append('disk = [ "vdev=xvda,access=rw,format=raw,script=/apps/blk,'
                     'target=/dev/data" ]')
    return ("\n".join(lines) + "\n").encode()


def run(manifest, image, words):
    """Start one image behind dom0's back ends; console here until the user ends it."""
    network = manifest.net != "none"
    extra = f"ip={ADDRESS}/24 gateway=10.0.2.2 dns=10.0.2.3 " if network else ""
    disk = None
    if manifest.disk != "none":
        disk = os.path.join(os.path.dirname(image), "disk.img")
        if not os.path.exists(disk):
            with open(disk, "wb") as file:
                file.truncate(64 << 20)
    forwards = []
    for entry in manifest.listen:
        kind, _, port = entry.partition("/")
        host = int(port) if int(port) >= 1024 else 8000 + int(port)
        forwards.append((kind, host, int(port), int(ADDRESS.rsplit(".", 1)[1])))
        print(f"{entry} of the unikernel is {kind} port {host} on this machine")
    with open(image, "rb") as file:
        files = {manifest.name: file.read(), "vif": VIF_SCRIPT, "blk": BLOCK_SCRIPT}
    files["app.cfg"] = config(manifest.name, max(5, manifest.memory >> 20),
                              extra + " ".join(words), 21 if network else None, disk is not None)
    files["start.sh"] = (f"log=/var/log/xen/console/guest-{manifest.name}.log\n"
                         "mkdir -p /var/log/xen/console; killall xenconsoled\n"
                         "xenconsoled --log=guest --pid-file=/var/run/xenconsoled.pid\n"
                         "touch $log; tail -f $log &\n"
                         "xl create /apps/app.cfg\n"
                         "while true; do sleep 1000; done\n").encode()
    print("starting Xen and a Debian dom0; the unikernel follows in a minute (Ctrl-C ends it all)",
          flush=True)
    machine = Dom0(files, forwards, disk, seconds=86400)
    shown = 0
    try:
        while machine.wait_for_more():
            sys.stdout.write(machine.text[shown:])
            sys.stdout.flush()
            shown = len(machine.text)
    except KeyboardInterrupt:
        print()
    finally:
        machine.stop()
