#!/usr/bin/env python3
"""Guests of every kind that xl makes: CPUs, memory, interrupt controller, serial line, a device of the board. TAP.

  kinds.py [--gic 2|3] [--cpus 1,2,...] [-v]
"""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from machine import OURS, TOP, Machine, guest_ramdisk, parser, tested

# The board's clock (QEMU's virt: PL031, SPI 2) as a guest sees it; passthrough.txt of Xen.
CLOCK = """/dts-v1/;
/ {
    #address-cells = <2>; #size-cells = <2>;
    passthrough {
        compatible = "simple-bus"; ranges; #address-cells = <2>; #size-cells = <2>;
        pclk: pclk { compatible = "fixed-clock"; #clock-cells = <0>; clock-frequency = <24000000>; };
        rtc@9010000 {
            compatible = "arm,pl031", "arm,primecell"; reg = <0 0x9010000 0 0x1000>;
            interrupt-parent = <0xfde8>; interrupts = <0 2 4>;
            clocks = <&pclk>; clock-names = "apb_pclk";
        };
    };
};
"""
WANTED = [("k64", "64 MiB, 1 CPUs"), ("m4096", "1 CPUs"),
          ("serial", r"guest: ready, 1 CPUs.* heard=42"), ("clock", r"rtc-pl031 is right, 1 interrupt")]


def judge(text, tap, cpus):
    """One result for each kind."""
    said = dict(re.findall(r"(?m)^kinds: (\w+): (.*)", text))
    for name, wanted in [(f"v{n}", f"{n} CPUs") for n in cpus] + WANTED:
        tap.result(re.search(wanted, said.get(name, "")) is not None,
                   f"{name}: {said.get(name, 'said nothing')}")
    failed = re.findall(r"FAILED.*", text)
    tap.result(not failed, f"nothing failed {failed[:3] or ''}")


def main():
    """0 if each kind came up and is what was asked for."""
    words = parser(__doc__)
    words.add_argument("--gic", default="3", choices=("2", "3"))
    words.add_argument("--cpus", default="1,2,3,4,5,6,7,8", help="guests of so many vCPUs (1 to 8)")
    given = words.parse_args()
    tree = os.path.join(TOP, "build/toolstack/rtc.dtb")
    os.makedirs(os.path.dirname(tree), exist_ok=True)
    subprocess.run(["dtc", "-q", "-O", "dtb", "-o", tree], input=CLOCK.encode(), check=True)
    files = [os.path.join(TOP, "build/arm64/tests/guest/idle") + "=/guest/tiny",
             tree + "=/guest/rtc.dtb"]
    rights = ["control *", "build", "store", "console", "schedule", "inspect *",
              "shutdown-host", "device /pl031@9010000"]
    board = Machine("kinds", OURS, run="start,kinds", guest=guest_ramdisk(), files=files,
                    rights=rights, memory=6144,
                    extra=f"bulkhead.gic={given.gic} bulkhead.cpus={given.cpus} "
                          f"bulkhead.now={int(time.time())}",
                    board=["--machine", f"gic-version={given.gic}"])
    with tested(board, given) as (machine, tap):
        try:
            machine.wait(r"run kinds: exit 0", 900)
        finally:
            judge(machine.text, tap, given.cpus.split(","))
    return tap.status()


if __name__ == "__main__":
    sys.exit(main())
