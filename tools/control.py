#!/usr/bin/env python3
"""The control domain's root file system: Debian's xen-utils, unmodified, in an initramfs.

  control.py [--program PKG:NAME]... [--file FROM=TO]...
             [--guest-program PKG:NAME]... [--guest-file FROM=TO]... [-o FILE]

Packages: xen-utils-4.17, xen-utils-common and xenstore-utils whole (but for
Python and the manuals), with what Debian's init script and hotplug scripts
call. Inside, /tests/start (tools/control/start) brings the daemons and the
bridge up; bulkhead.run=start on the kernel's command line runs it at boot.
Below /guest lie a Debian kernel and root file system for guests of `xl`.
The first build takes about a minute, most of it fetching; then the cache has it.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debian  # noqa: E402
import initramfs  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

# dash: busybox's sh prefers its own applets to the programs that Debian's scripts mean.
WHOLE = ["xen-utils-4.17", "xen-utils-common", "xenstore-utils", "dash"]
# What /etc/init.d/xen, libxl and the scripts in /etc/xen/scripts start.
PROGRAMS = ["dpkg:start-stop-daemon", "util-linux:choom", "util-linux:flock", "mount:losetup",
            "iproute2:ip", "iproute2:bridge", "bridge-utils:brctl", "e2fsprogs:mke2fs",
            "bsdutils:script"]
# ext4 asks the kernel's crypto by name for crc32c, which modprobe finds only by an index of aliases: loaded first.
MODULES = ["virtio_mmio", "virtio_net", "virtio_blk", "bridge", "loop", "crc32c_generic", "ext4",
           "xenfs", "xen-evtchn", "xen-gntdev", "xen-privcmd", "xen-netback", "xen-blkback"]
# `virsh -c xen:///` on top of that.
LIBVIRT = ["libvirt0", "libvirt-daemon", "libvirt-daemon-driver-xen", "libvirt-clients"]
# A guest of xl: its front ends, and a disk's file system.
GUEST_MODULES = ["xen-netfront", "xen-blkfront", "crc32c_generic", "ext4"]


def make(words):
    """Path of the image for an initramfs.py command line."""
    return initramfs.make(initramfs.parser().parse_args(words))


def guest_ramdisk(programs=(), files=()):
    """Root file system of a guest that `xl create` starts."""
    words = ["--kernel", "arm64"]
    for module in GUEST_MODULES:
        words += ["--module", module]
    for program in programs:
        words += ["--program", program]
    for item in files:
        words += ["--file", item]
    return make(words)


def ramdisk(programs=(), files=(), guest=None, packages=()):
    """Root file system of the control domain; `guest` is its guests' (guest_ramdisk())."""
    base, = debian.fetch(["sysvinit-utils"])
    words = ["--kernel", "arm64"]
    for package in WHOLE + list(packages):
        words += ["--whole", package]
    for program in PROGRAMS + list(programs):
        words += ["--program", program]
    for module in MODULES:
        words += ["--module", module]
    for item in [f"{base}/lib/lsb=/lib/lsb", f"{base}/lib/init=/lib/init",
                 f"{os.path.join(HERE, 'control')}=/tests",
                 f"{debian.kernel('arm64')['image']}=/guest/Image",
                 f"{guest or guest_ramdisk()}=/guest/initrd"] + list(files):
        words += ["--file", item]
    return make(words)


def main():
    """Build or find the image; 0 on success."""
    words = argparse.ArgumentParser(description=__doc__,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--program", action="append", default=[], metavar="PKG:NAME")
    words.add_argument("--file", action="append", default=[], metavar="FROM=TO")
    words.add_argument("--guest-program", action="append", default=[], metavar="PKG:NAME")
    words.add_argument("--guest-file", action="append", default=[], metavar="FROM=TO")
    words.add_argument("-o", "--output", metavar="FILE")
    given = words.parse_args()
    try:
        path = ramdisk(given.program, given.file,
                       guest_ramdisk(given.guest_program, given.guest_file))
    except debian.Failure as failure:
        print(f"control: error: {failure}", file=sys.stderr)
        return 1
    if given.output:
        with open(path, "rb") as file:
            initramfs.put(file.read(), given.output)
    else:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
