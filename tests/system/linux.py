#!/usr/bin/env python3
"""Stock Debian guests on a whole board: they boot, work inside, restart and end.

  linux.py [--set short|full] [--hypervisor FILE|xen] [--list] [NAME...]

Default hypervisor: build/arm64/bulkhead. `xen` is stock Xen 4.17, the peer:
what it cannot do is skipped and says so. Prints TAP; logs are in build/logs/.
"""
import argparse
import itertools
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from board import OURS, SLOW, TOP, Board, Failed, Guest, Tap  # noqa: E402
import debian  # noqa: E402

NAMES = ["home", "work", "play", "bank", "shop", "lab", "car", "phone"]
HACKBENCH = "rt-tests:hackbench"
CYCLICTEST = "rt-tests:cyclictest"
STRESS = "stress-ng:stress-ng"


class Skipped(Exception):
    """The hypervisor under test is the peer and cannot do this."""


def guests(count, run=("cpus", "dmesg"), **keys):
    """`count` like guests with names."""
    return [Guest(NAMES[i], run=run, **keys) for i in range(count)]


def check_runs(board, guest, seconds):
    """The scripts a guest was told to run have all ended well."""
    for script in guest.run:
        match = board.expect(guest.name, rf"run {script}: exit (\d+)", seconds)
        if match[1] != "0":
            raise Failed(f"{script} in {guest.name} ended with status {match[1]}\n"
                         + board.tail(guest.name))


def check_boot(board, seconds):
    """All guests reach user space, run their scripts well, and nobody complains."""
    for guest in board.guests:
        board.expect(guest.name, rf"{guest.name}: Debian's Linux", seconds)
    for guest in board.guests:
        check_runs(board, guest, seconds)
    trouble = board.trouble()
    if trouble:
        raise Failed(f"somebody complained: {trouble}")


def boot(name, count=1, vcpus=1, kernel="arm64", cpus=2, gic=3, memory=192, board_memory=4096,
         extra="", seconds=30, run=("cpus", "dmesg"), programs=(), cpu="cortex-a72", **keys):
    """A case that boots `count` guests to user space and runs scripts there."""
    def body(options):
        some = guests(count, run=run, vcpus=vcpus, kernel=kernel, memory=memory, extra=extra,
                      programs=programs, **keys)
        with Board(name, some, cpus=cpus, gic=gic, memory=board_memory, cpu=cpu,
                   hypervisor=options.hypervisor) as board:
            check_boot(board, seconds)
            return f"{board.elapsed():.0f} s"
    return name, body


def program(name):
    """A program of tests/system/programs, for a guest's files."""
    return os.path.join(TOP, "build/arm64/tests/system", name) + f"=/usr/bin/{name}"


# --- cases that are more than a boot ----------------------------------------

def prompt(options):
    """The keyboard reaches one guest, then the other, and never both; one powers off, the other goes on."""
    with Board("prompt", guests(2, run=()), hypervisor=options.hypervisor) as board:
        for guest in board.guests:
            board.expect(guest.name, f"{guest.name}: Debian's Linux", 30)
        for guest in board.guests * 2:
            board.send(guest.name, "\n")
            board.expect(guest.name, rf"{guest.name}:~# ", 10)
            board.send(guest.name, "echo it is $(hostname) $((6 * 7))\n")
            board.expect(guest.name, rf"it is {guest.name} 42", 10)
        for guest in board.guests:
            heard = [t for t in board.text_of(guest.name) if re.search(r"it is \w+ 42", t)]
            if any(guest.name not in text for text in heard):
                raise Failed(f"{guest.name} heard {heard}")
        board.send("home", "poweroff -f\n")
        board.expect("home", "reboot: Power down", 20)
        board.drain(1)
        board.send("work", "\necho still $((40 + 2))\n")
        board.expect("work", "still 42", 20)
        if sum("Debian's Linux" in text for text in board.text_of("home")) > 1:
            raise Failed("home came back after it powered off")


PV = dict(uart=False, xen_enhanced="enabled", extra="console=hvc0")


def xen_guest(options):
    """Two guests, one of 32 bits, that have only what Xen gives: hvc0 shows and hears, balloons move, reboots work."""
    some = [Guest("home", run=("xen", "dmesg"), then="reboot", on_reboot="restart", **PV),
            Guest("work", kernel="armhf", run=("xen", "dmesg"), vcpus=2, **PV)]
    with Board("xen-guest", some, hypervisor=options.hypervisor) as board:
        if board.is_xen:
            raise Skipped("stock Xen has no PV console without a dom0")
        for guest in some:
            board.expect(guest.name, "xen: balloon moved 3 times", 60)
            board.expect(guest.name, "run xen: exit 0", 30)
        board.expect("home", "reboot: Restarting system", 30)
        board.expect("home", "home: Debian's Linux", 60)
        board.expect("home", "run xen: exit 0", 60)
        board.send("work", "\necho still $((40 + 2))\n")
        board.expect("work", "still 42", 20)
        trouble = board.trouble()
        if trouble:
            raise Failed(f"somebody complained: {trouble}")
        return f"{board.elapsed():.0f} s"


def xen_disk(options):
    """A stock front end and a stock back end, in two domains, over a store in one of them."""
    some = [Guest("ctl", run=("store",), memory=256, rights=["store"], xen_enhanced="enabled",
                  programs=("xen-utils-4.17:xenstored", "xenstore-utils:xenstore-write",
                            "xenstore-utils:xenstore-read", "xenstore-utils:xenstore-ls",
                            "xenstore-utils:xenstore-chmod"),
                  modules=("xen-evtchn", "xen-gntdev", "xen-privcmd", "xenfs", "loop",
                           "xen-blkback")),
            Guest("home", run=("front", "dmesg"), modules=("xen-blkfront",), **PV)]
    with Board("xen-disk", some, hypervisor=options.hypervisor) as board:
        if board.is_xen:
            raise Skipped("stock Xen gives no domain the store without a dom0")
        board.expect("ctl", "store: domain 2 is introduced", 60)
        board.expect("ctl", "run store: exit 0", 60)
        board.expect("home", "run front: exit 0", 90)
        return f"{board.elapsed():.0f} s"


def clock(options):
    """Guests' clocks go as fast as ours, and never back, on whichever of their CPUs they are read."""
    some = guests(2, run=("clock",), vcpus=2, extra="quiet", files=(program("clocked"),))
    with Board("clock", some, hypervisor=options.hypervisor) as board:
        for guest in some:
            check_runs(board, guest, 60)
        for guest in some:
            marks = [(when, float(found[1])) for when, who, text in board.lines
                     if who == guest.name and (found := re.search(r"clock: uptime ([\d.]+)", text))]
            (began, first), (ended, last) = marks[0], marks[-1]
            ours, theirs = ended - began, last - first
            if abs(ours - theirs) > 0.5 + 0.1 * ours:
                raise Failed(f"{guest.name} counted {theirs:.2f} s while {ours:.2f} s went by")


def restarts(options):
    """`reboot` and a kernel panic restart that guest, and again, their neighbour undisturbed."""
    again = {"home": ("reboot", "reboot: Restarting system"),
             "car": ("panic", "Kernel panic - not syncing")}
    some = [Guest(name, run=("cpus",), then=then, extra="panic=1 quiet" if then == "panic" else "quiet",
                  on_crash="restart") for name, (then, _) in again.items()]
    with Board("restarts", some + [Guest("work", run=("cpus",))], hypervisor=options.hypervisor) as board:
        if board.is_xen:
            raise Skipped("dom0less Xen restarts no domain")
        board.expect("work", "run: done", 40)
        for life in range(3):
            for name, (_, said) in again.items():
                board.expect(name, f"{name}: Debian's Linux", 40)
                board.expect(name, "run cpus: exit 0", 20)
                if life < 2:
                    board.expect(name, said, 20)
        board.send("work", "\necho still $((40 + 2)) up $(cut -d. -f1 /proc/uptime)\n")
        board.expect("work", r"still 42 up \d+", 20)


def uboot(options):
    """What `bulkhead build` writes boots by Debian's own U-Boot, from a disk."""
    some = guests(2, run=("cpus",))
    firmware, = debian.fetch(["u-boot-qemu"])
    with Board("u-boot", some, hypervisor=options.hypervisor,
               firmware=os.path.join(firmware, "usr/lib/u-boot/qemu_arm64/u-boot.bin")) as board:
        check_boot(board, 40)


def disk(options):
    """The board's own disk and network card given to one guest, with their stock drivers; no IOMMU."""
    some = [Guest("home", run=("disk", "net"), direct_map=1,
                  modules=("virtio_mmio", "virtio_blk", "virtio_net"),
                  assign=["/virtio_mmio@a000000", "/virtio_mmio@a001000"]),
            Guest("work", run=("cpus",))]
    if options.hypervisor == "xen":
        raise Skipped("Debian's Xen is built without static memory, which direct-map needs")
    with Board("disk", some, hypervisor=options.hypervisor, disk_mib=8) as board:
        check_boot(board, 40)
        for device in ("a000000", "a001000"):
            if not any(f"virtio_mmio@{device}" in text and "No IOMMU confines it" in text
                       for _, _, text in board.lines):
                raise Failed(f"nobody said that virtio_mmio@{device} is not confined")
        with open(os.path.join(board.folder, "disk.img"), "rb") as file:
            if not any(file.read(4096)):
                raise Failed("nothing arrived in the disk's file")


def debug(options):
    """Debug registers and counters of four vCPUs on one CPU: each guest's are its own."""
    some = [Guest(NAMES[i], vcpus=2, run=("debugged", "dmesg"), files=(program("debugged"),),
                  extra=f"bulkhead.instance={i + 1}") for i in range(2)]
    with Board("debug", some, cpus=1, hypervisor=options.hypervisor) as board:
        if board.is_xen:
            raise Skipped("stock Xen gives guests no debug registers and no PMU")
        check_boot(board, 60)


def neighbours(options):
    """Five guests, none the same: every kernel flavour at once."""
    kinds = ["arm64", "cloud-arm64", "rt-arm64", "backports", "armhf"]
    some = [Guest(NAMES[i], kernel=kind, run=("cpus",), vcpus=1 + i % 2)
            for i, kind in enumerate(kinds)]
    with Board("flavours", some, hypervisor=options.hypervisor) as board:
        check_boot(board, 60)


INSIDE = dict(programs=(HACKBENCH, CYCLICTEST, STRESS), memory=256, vcpus=2, seconds=60)

SHORT = [
    boot("boot-1"),
    boot("boot-4-vcpus", vcpus=4, gic=2),
    ("prompt", prompt),
    ("clock", clock),
    ("debug", debug),
    ("xen-guest", xen_guest),
    boot("inside", run=("hackbench", "cyclictest", "stress", "hotplug", "dmesg"), **INSIDE),
    ("u-boot", uboot),
    ("disk", disk),
    ("restarts", restarts),
]


# One of everything: each row of docs/proofs-a.md's matrix at least once. (guests, vCPUs each, host
# CPUs, GIC, kernel, KASLR, MiB each); `make nightly` has all pairs.
COVER = [(1, 8, 8, 3, "arm64", True, 192), (2, 2, 1, 3, "rt-arm64", False, 192),
         (1, 4, 2, 2, "armhf", True, 192), (4, 2, 8, 2, "cloud-arm64", True, 192),
         (1, 2, 4, 3, "backports", False, 4096), (8, 1, 2, 3, "arm64", True, 160)]

AXES = [(1, 2, 4, 8), (1, 2, 4, 8), (1, 2, 4, 8), (2, 3), tuple(debian.KERNELS), (True, False),
        (192, 4096)]


def case_of(row):
    """The case that a row of the matrix stands for."""
    count, vcpus, cpus, gic, kernel, kaslr, memory = row
    name = f"{count}x{vcpus}-on-{cpus}-gic{gic}-{kernel}{'' if kaslr else '-nokaslr'}"
    # Many kernel logs on one line, and more emulated CPUs than real ones: that measures the emulator.
    quiet = " quiet" if count > 2 and cpus > 2 else ""
    return boot(name + ("-4-gib" if memory == 4096 else ""), count=count, vcpus=vcpus, cpus=cpus,
                gic=gic, kernel=kernel, extra=("" if kaslr else "nokaslr") + quiet, memory=memory,
                board_memory=6144 if memory == 4096 else 4096, seconds=30 + 15 * count * vcpus)


def possible(row):
    """What fits this emulator: sixteen vCPUs, one large guest; 32-bit kernels have no KASLR."""
    count, vcpus, _, _, kernel, kaslr, memory = row
    return count * vcpus <= 16 and (memory < 4096 or count == 1) and (kernel != "armhf" or kaslr)


def pairwise(axes, chosen):
    """Rows that have, with `chosen`, every possible pair of values of two axes: greedily."""
    def pairs(row):
        return {(i, row[i], j, row[j]) for i in range(len(row)) for j in range(i)}

    rows = [row for row in itertools.product(*axes) if possible(row)]
    missing = set().union(*map(pairs, rows)).difference(*map(pairs, chosen))
    found = []
    while missing:
        # Among those that add as many pairs, the cheapest.
        best = max(rows, key=lambda row: (len(pairs(row) & missing), -row[0] * row[1]))
        found.append(best)
        missing -= pairs(best)
    return found


SHORT += [case_of(row) for row in COVER]


def full():
    """All pairs of the matrix, every kernel under load; an hour on two cores."""
    cases = SHORT + [case_of(row) for row in pairwise(AXES, COVER)]
    cases += [("kernel-flavours", neighbours), ("xen-disk", xen_disk)]
    for kernel in debian.KERNELS:
        cases.append(boot(f"{kernel}-inside", kernel=kernel, count=2, cpus=4,
                          run=("hackbench", "cyclictest", "stress", "hotplug", "dmesg"), **INSIDE))
    # Other CPUs: without and with VHE, AArch32, SVE, pointer authentication, wide VMIDs.
    for cpu in ("cortex-a53", "cortex-a76", "neoverse-n1", "max"):
        cases.append(boot(f"cpu-{cpu}", count=2, vcpus=2, cpu=cpu, seconds=60))
    cases.append(boot("memory-64-mib", memory=80))
    return cases


def run_case(tap, name, body, options):
    """One case, one TAP line; once more on another day is no answer here: a failure is one."""
    began = time.monotonic()
    try:
        note = body(options)
        tap.result(f"linux: {name}", note=note or f"{time.monotonic() - began:.0f} s")
    except Skipped as why:
        tap.result(f"linux: {name}", skip=str(why))
    except Failed as why:
        tap.result(f"linux: {name}", wrong=str(why))
    except debian.Failure as why:
        tap.result(f"linux: {name}", wrong=f"cannot prepare it: {why}")


def main():
    """Run the cases asked for."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="short", choices=("short", "full"))
    parser.add_argument("--hypervisor", metavar="FILE|xen",
                        default=os.environ.get("BULKHEAD_HYPERVISOR") or OURS)
    parser.add_argument("--list", action="store_true", help="names of the cases")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cases = SHORT if options.set == "short" and not options.names else full()
    if options.names:
        cases = [case for case in cases if case[0] in options.names]
    if options.list:
        print("\n".join(name for name, _ in cases))
        return 0
    tap = Tap(len(cases))
    for name, body in cases:
        run_case(tap, name, body, options)
    print(f"# time-outs stretched {SLOW:g} times; logs in build/logs")
    return 1 if tap.failures or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
