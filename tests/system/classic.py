#!/usr/bin/env python3
"""A tree in Xen's classic form - a dom0 below /chosen - on us and on stock Xen 4.17. TAP.

  classic.py [--gic 2|3] [--legacy] [--peer] [--emulate]

The same tree and modules boot Debian's kernel as dom0 with all of the board's devices: virtio disks
and a card on virtio-mmio and on PCI, clock, GPIO. A script inside (tests/system/guest/dom0) says
what it found. --peer boots stock Xen too and compares line by line; --legacy writes the tree with
the names that Xen 4.4 had. --emulate is another test: a program in dom0 serves a disk by virtio-mmio
(an IOREQ server) to a second domain, whose Debian is not told of Xen at all.
"""
import argparse
import importlib.util
import os
import re
import select
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import board as guests  # noqa: E402  (tests/system/board.py)

# The folder of the small guests has a board.py too.
SPEC = importlib.util.spec_from_file_location("bare", os.path.join(HERE, "..", "guest", "board.py"))
bare = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bare)

TOP = os.path.dirname(os.path.dirname(HERE))
SLOW = float(os.environ.get("SLOW", "4"))
KERNEL_AT, RAMDISK_AT = 0x50000000, 0x54000000
MEMORY, CPUS = 1536, 2
MODULES = ("virtio_mmio", "virtio_pci", "virtio_blk", "virtio_net", "xenfs", "xen-privcmd")
NAMES = {False: ('"multiboot,kernel", "multiboot,module"', '"multiboot,ramdisk", "multiboot,module"'),
         True: ('"xen,linux-zimage", "xen,multiboot-module"', '"xen,linux-initrd", "xen,multiboot-module"')}

# What differs, and why; everything else is the same to the letter.
EXPLAINED = {
    "nodes": "the controller's node has its address in its name; there are aliases and a PMU",
}


GUEST_RAM = 128 << 20
PARTIAL = """/dts-v1/; / { #address-cells = <2>; #size-cells = <2>;
    gic: gic { }; passthrough { compatible = "simple-bus"; ranges; #address-cells = <2>; #size-cells = <2>;
    virtio_mmio@2000000 { compatible = "virtio,mmio"; reg = <0 0x2000000 0 0x200>;
        interrupt-parent = <0xfde8>; interrupts = <0 8 4>; }; }; };"""


def second_domain(folder, kernel, ramdisk):
    """The node of a guest whose tree has a virtio device that nobody but a device model serves."""
    partial = os.path.join(folder, "partial.dtb")
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", partial], check=True,
                   input=PARTIAL.encode())
    files = [("kernel", kernel, KERNEL_AT), ("ramdisk", ramdisk, 0x58000000),
             ("device-tree", partial, 0x5c000000)]
    text = (f'work {{ compatible = "xen,domain"; #address-cells = <2>; #size-cells = <2>; cpus = <2>; '
            f"memory = <0 {GUEST_RAM >> 10:#x}>; vpl011; nr_spis = <32>;\n")
    for kind, file, at in files:
        text += (f'module@{at:x} {{ compatible = "multiboot,{kind}", "multiboot,module"; '
                 f"reg = <0x0 {at:#x} 0x0 {os.path.getsize(file):#x}>; "
                 + ('bootargs = "console=ttyAMA0 quiet bulkhead.name=work bulkhead.run=served"; '
                    if kind == "kernel" else "") + "};\n")
    return text + "};\n", files[1:]


def emulate(options):
    """A program in dom0 is the disk of a guest without Xen drivers."""
    board = bare.Board(gic=options.gic, cpus=CPUS, memory=MEMORY, icount=False)
    kernel = guests.debian.kernel("arm64")
    back = os.path.join(TOP, "build/arm64/tests/system/virtio-back") + "=/usr/bin/virtio-back"
    dom0 = guests.Guest("dom0", modules=MODULES + ("xen-evtchn",), files=(back,)).ramdisk()
    module = os.path.join(kernel["modules"], "kernel/drivers/virtio/virtio_mmio.ko")
    guest = guests.Guest("work", modules=("virtio_blk",),
                         files=(module + "=/lib/virtio_mmio.ko",)).ramdisk()
    with tempfile.TemporaryDirectory(prefix="bulkhead-test-") as folder:
        node, files = second_domain(folder, kernel["image"], guest)
        path = os.path.join(folder, "tree.dtb")
        tree(path, board, False, kernel["image"], dom0, node,
             f"bulkhead.run=emulate bulkhead.ram={GUEST_RAM}")
        command = [bare.QEMU] + board.arguments() + ["-kernel", bare.hypervisor_path("bulkhead"),
                                                     "-dtb", path]
        for file, at in [(kernel["image"], KERNEL_AT), (dom0, RAMDISK_AT)] + \
                [(file, at) for _, file, at in files]:
            command += ["-device", f"loader,file={file},addr={at:#x},force-raw=on"]
        text = run(command, "classic-emulate",
                   [(r"virtio-back: server[\s\S]*served: waits|served: waits[\s\S]*virtio-back: server",
                     b"\x14go\n"), (r"written and read|run served: exit [1-9]", b"")])
    good = re.search(r"served: 8192 sectors \S*, written and read", text)
    report([("a guest without Xen drivers has a disk that a program in dom0 serves", good,
             text[-3000:]), ("nothing is wrong in it", not guests.TROUBLE.search(text), text[-3000:])])
    return 0 if good else 1


def tree(path, board, legacy, kernel, ramdisk, more="", words="bulkhead.run=dom0"):
    """QEMU's own tree with the two modules and both command lines; what GRUB or U-Boot would write."""
    names = NAMES[legacy]
    chosen = ('/ { chosen { #address-cells = <2>; #size-cells = <2>; xen,xen-bootargs = "console=dtuart '
              f'dom0_mem=512M dom0_max_vcpus={CPUS} bootscrub=0"; xen,dom0-bootargs = "console=hvc0 '
              f'quiet bulkhead.name=dom0 {words} bulkhead.vcpus={CPUS}";\n')
    for kind, file, at in ((names[0], kernel, KERNEL_AT), (names[1], ramdisk, RAMDISK_AT)):
        chosen += (f"module@{at:x} {{ compatible = {kind}; "
                   f"reg = <0x0 {at:#x} 0x0 {os.path.getsize(file):#x}>; }};\n")
    source = board.tree(os.path.dirname(path)) + chosen + more + "}; };\n"
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", path], check=True,
                   input=source.encode())


def boot(on, options, ends):
    """Boot, and type `ends` at the prompt; all that was said until it is carried out."""
    board = bare.Board(gic=options.gic, cpus=CPUS, memory=MEMORY, icount=False)
    guest = guests.Guest("dom0", modules=MODULES)
    kernel, ramdisk = guests.debian.kernel("arm64")["image"], guest.ramdisk()
    with tempfile.TemporaryDirectory(prefix="bulkhead-test-") as folder:
        tree(os.path.join(folder, "tree.dtb"), board, options.legacy, kernel, ramdisk)
        command = [bare.QEMU] + board.arguments() + [
            "-kernel", bare.hypervisor_path(on), "-dtb", os.path.join(folder, "tree.dtb")]
        for file, at in ((kernel, KERNEL_AT), (ramdisk, RAMDISK_AT)):
            command += ["-device", f"loader,file={file},addr={at:#x},force-raw=on"]
        for name, device in (("a", "virtio-blk-device"), ("b", "virtio-blk-pci")):
            with open(os.path.join(folder, name), "wb") as disk:
                disk.truncate(4 << 20)
            command += ["-drive", f"file={folder}/{name},if=none,id={name},format=raw",
                        "-device", f"{device},drive={name}"]
        command += ["-global", "virtio-mmio.force-legacy=off", "-netdev", "user,id=net,restrict=on",
                    "-device", "virtio-net-device,netdev=net"]
        return run(command, f"classic-{on}",
                   [("run: done", b"\n" + ends.encode() + b"\n"), ("still 42", b"")])


def run(command, name, steps):
    """Start it, and wait for each pattern of `steps`, then type what it says."""
    os.makedirs(guests.LOGS, exist_ok=True)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, preexec_fn=guests.dies_with_parent)
    try:
        with open(os.path.join(guests.LOGS, name + ".log"), "wb") as log:
            return follow(process, log, steps)
    finally:
        process.kill()
        process.wait()


def follow(process, log, steps):
    """What it says until the last step is done, or nothing more is to be expected."""
    text, deadline = "", time.monotonic() + 60 * SLOW
    while time.monotonic() < deadline and steps:
        if not select.select([process.stdout], [], [], 5)[0]:
            continue
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            break
        log.write(data)
        log.flush()
        text += data.decode("utf-8", "replace").replace("\r", "")
        if re.search(steps[0][0], text):
            process.stdin.write(steps.pop(0)[1])
            process.stdin.flush()
        if guests.FATAL.search(text):
            break
    return text


def facts(text):
    """{name: value} of what the script said."""
    # Where grant tables may be mapped is each hypervisor's own memory; Xen's dom0 has no PMU. Xen gives it
    # the GICv2m frame, so that a PCI device's interrupts are messages; here it is the device's line.
    text = re.sub(r"\w+\.hypervisor |\S+\.arm-pmu ", "", text)
    text = re.sub(r"MSI\.(\w+)-\S+( MSI\.\1-\S+)*", r"GIC-0.\1", text)
    return dict(re.findall(r"fact (\w+): (.*)", text))


def differences(ours, theirs):
    """Names of facts that differ and are not explained."""
    return [name for name in sorted(set(ours) | set(theirs))
            if ours.get(name) != theirs.get(name) and name not in EXPLAINED]


def report(checks):
    """TAP of (words, good, why not)."""
    print(f"1..{len(checks)}")
    for number, (words, good, why) in enumerate(checks, 1):
        print(f"{'ok' if good else 'not ok'} {number} - classic: {words}")
        for line in str(why).splitlines() if not good else []:
            print(f"#   {line}")


def main():
    """One boot of ours, one of the peer if asked for."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gic", type=int, default=3, choices=(2, 3))
    parser.add_argument("--legacy", action="store_true", help="names of Xen 4.4")
    parser.add_argument("--peer", action="store_true", help="stock Xen too, and compare")
    parser.add_argument("--emulate", action="store_true", help="a device model in dom0")
    options = parser.parse_args()
    if options.emulate:
        return emulate(options)
    text = boot("bulkhead", options, "echo still $((40 + 2))")
    ours = facts(text)
    checks = [
        ("it boots to a prompt", "still 42" in text, text[-1500:]),
        ("both disks, by virtio-mmio and by PCI, and the card work",
         "written" in ours.get("vda", "") and "written" in ours.get("vdb", "")
         and ours.get("net") == "leased", ours),
        ("clock and GPIO are the board's", "rtc-pl031" in ours.get("rtc", "")
         and "gpiochip0" in ours.get("gpio", ""), ours),
        ("it is dom0", ours.get("capabilities") == "control_d", ours),
        ("the hypervisor's serial line is hidden", "9000000.pl011" not in ours.get("devices", "pl011"),
         ours.get("devices")),
        ("the log says what it can reach", re.search(
            r"Domain-0 is a dom0.*every right over every domain.*all memory", text.replace("\n", " ")), text[:3000]),
        ("nothing is wrong in it", not guests.TROUBLE.search(text), text[-3000:])]
    if options.peer:
        theirs = facts(boot("xen", options, "echo still $((40 + 2))"))
        checks.append(("stock Xen's dom0 finds the same", not differences(ours, theirs),
                       "\n".join(f"{name}:\n  we: {ours.get(name)}\n  Xen: {theirs.get(name)}"
                                 for name in differences(ours, theirs))))
        for name in EXPLAINED:
            print(f"# {name}: we {ours.get(name)}\n#    Xen {theirs.get(name)}")
    report(checks)
    return 0 if all(good for _, good, _ in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
