"""Start images as domains of a hypervisor on QEMU's virt board, without a control domain.

The same tree starts stock Xen 4.17 (Debian's package) and Bulkhead: both read
Xen's dom0less binding.
"""
import ctypes
import os
import subprocess
import sys
import tempfile
from signal import SIGTERM

import toolchain
from manifest import Mistake

RAM_BASE = 0x40000000
FIRST_MODULE = RAM_BASE + 0x0C000000
MACHINE = ["-M", "virt,virtualization=on,gic-version=3", "-cpu", "cortex-a72"]


def dies_with_parent():
    """For Popen's preexec_fn: `timeout`, and with it QEMU, ends however we end."""
    ctypes.CDLL(None).prctl(1, SIGTERM)  # PR_SET_PDEATHSIG, linux/prctl.h


class Domain:
    """One domain: image, memory in KiB, and what its node says."""

    def __init__(self, name, image, memory_kib, bootargs="", ramdisk=None, properties=()):
        self.name = name
        self.image = image
        self.memory_kib = memory_kib
        self.bootargs = bootargs
        self.ramdisk = ramdisk
        self.properties = list(properties)


def stock_xen():
    """Debian's Xen for arm64."""
    return toolchain.debian("xen")


def module_node(kind, path, address, extra=""):
    """A boot module below a domain."""
    size = os.path.getsize(path)
    return (f'module@{address:x} {{ compatible = "multiboot,{kind}", "multiboot,module"; '
            f"reg = <{address >> 32:#x} {address & 0xffffffff:#x} 0 {size:#x}>; {extra} }};")


def quoted(text):
    """A device tree string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def tree(directory, domains, memory_mib, cpus, xen_arguments, extra=()):
    """Write the board's device tree with the domains; return its path and the loaders."""
    plain = os.path.join(directory, "board.dtb")
    toolchain.run(["qemu-system-aarch64", "-M", f"virt,virtualization=on,gic-version=3,"
                   f"dumpdtb={plain}", "-cpu", "cortex-a72", "-smp", str(cpus),
                   "-m", str(memory_mib), "-nic", "none", "-display", "none"] + list(extra))
    source = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", plain], check=True,
                            stdout=subprocess.PIPE).stdout.decode()
    nodes, loaders = [], []
    address = FIRST_MODULE
    for domain in domains:
        modules = []
        for kind, path in (("kernel", domain.image), ("ramdisk", domain.ramdisk)):
            if path is None:
                continue
            extra_text = f"bootargs = {quoted(domain.bootargs)};" if kind == "kernel" else ""
            modules.append(module_node(kind, path, address, extra_text))
            loaders += ["-device", f"loader,file={path},addr={address:#x},force-raw=on"]
            address = (address + os.path.getsize(path) + 0x1FFFFF) & ~0x1FFFFF
        properties = "".join(f"{line};" for line in domain.properties)
        nodes.append(f'domain-{domain.name} {{ compatible = "xen,domain"; #address-cells = <2>; '
                     f"#size-cells = <2>; cpus = <1>; memory = <0 {domain.memory_kib:#x}>; "
                     f"{properties} {' '.join(modules)} }};")
    source += ("\n/ { chosen { #address-cells = <2>; #size-cells = <2>; xen,xen-bootargs = "
               f"{quoted(xen_arguments)}; {' '.join(nodes)} }}; }};\n")
    path = os.path.join(directory, "tree.dtb")
    result = subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", path], check=False,
                            input=source.encode(), stderr=subprocess.PIPE)
    if result.returncode:
        raise Mistake(f"dtc: {result.stderr.decode()}")
    return path, loaders


XEN_ARGUMENTS = "console=dtuart guest_loglvl=all loglvl=warning bootscrub=0 sync_console"


def qemu_command(directory, hypervisor, domains, memory_mib=1024, cpus=1, options=(),
                 xen_arguments=XEN_ARGUMENTS):
    """The command line that boots `hypervisor` with `domains`."""
    dtb, loaders = tree(directory, domains, memory_mib, cpus, xen_arguments)
    return (["qemu-system-aarch64"] + MACHINE
            + ["-smp", str(cpus), "-m", str(memory_mib), "-nic", "none", "-display", "none",
               "-serial", "stdio", "-monitor", "none", "-no-reboot", "-kernel", hypervisor,
               "-dtb", dtb] + loaders + list(options))


def run_until(command, done, seconds):
    """Run QEMU until `done(text so far)` is true; return (console text, whether it was)."""
    process = subprocess.Popen(["timeout", str(seconds)] + command, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               preexec_fn=dies_with_parent)
    text = ""
    finished = False
    try:
        while not finished:
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                break
            text += chunk.decode("utf-8", "replace")
            finished = done(text)
    finally:
        process.terminate()
        process.wait()
    return text.replace("\r", ""), finished


def main():
    """board.py IMAGE [BOOTARGS]: boot one image on stock Xen, console on stdout."""
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as directory:
        domain = Domain("app", sys.argv[1], int(os.environ.get("MEMORY_KIB", 8192)),
                        " ".join(sys.argv[2:]), properties=["vpl011"])
        command = qemu_command(directory, os.environ.get("HYPERVISOR") or stock_xen(), [domain])
        return subprocess.run(["timeout", os.environ.get("SECONDS_MAX", "60")] + command,
                              check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
