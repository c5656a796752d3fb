#!/usr/bin/env python3
"""A driver domain with the board's card and disk serves a guest of xl; the control domain dies meanwhile. TAP.

  driver.py [-v]

`drv` holds the two devices and no right; `xl devd` runs in it, and the guest's
configuration says backend=drv. The host reaches the guest before, while and
after the control domain, which has no device but its own small disk, is
started again.
"""
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from killed import kill
from machine import OURS, Machine, assigned, free_port, guest_ramdisk, parser, tested
from readme import answer
import control
import debian


def driver_domain(guest):
    """Domain file of `drv`: the card and the second disk, and not a single right."""
    return (f'memory = 320\nvcpus = 1\nkernel = "{debian.kernel("arm64")["image"]}"\n'
            f'ramdisk = "{control.ramdisk(guest=guest)}"\nxen_enhanced = "enabled"\n'
            'extra = "console=hvc0 loglevel=4 bulkhead.name=drv bulkhead.run=start"\n'
            f"direct_map = 1\nassign = [{assigned([0, 2])}]\n")


def play(machine, port, tap):
    """The story."""
    curl = ["curl", "-s", "-S", "-m", "20", f"http://127.0.0.1:{port}/"]
    machine.wait(r"\(drv\) control: ready", 100)
    machine.wait(r"guest: disk says disk-of-g1", 150)
    machine.wait(r"guest: ping 0%", 30)
    tap.result(True, "the guest has its disk and its card by the driver domain")
    answer(curl, "hello from g1", 60)
    tap.result(True, "the host reaches it")
    kill(machine)
    answer(curl, "hello from g1", 30)
    tap.result(True, "... while the control domain is dead")
    machine.wait(r"run driver: begin", 200)
    machine.wait(r"\ndrv +2 +320 ", 100)
    machine.wait(r"\ng1 +\d+ +160 ", 30)
    tap.result(True, "its next life lists both by name")
    answer(curl, "hello from g1", 30)
    tap.result(True, "the host reaches the guest still")
    machine.send("\n")
    machine.wait(r"run driver: exit 0", 60)
    failed = re.findall(r"driver: (FAILED.*)", machine.text)
    tap.result(not failed, f"it manages and destroys it {failed or ''}")


def main():
    """0 if all is well."""
    given = parser(__doc__).parse_args()
    guest = guest_ramdisk()
    port = free_port()
    with tempfile.NamedTemporaryFile(prefix="bulkhead-test-") as state, \
            tempfile.NamedTemporaryFile(prefix="bulkhead-test-") as disk:
        state.truncate(16 << 20)
        disk.truncate(16 << 20)
        disk.write(b"disk-of-g1")
        disk.flush()
        board = Machine("driver", OURS, run="start,driver", guest=guest, own=[1],
                        extra="bulkhead.names=2:drv bulkhead.store=xenstored",
                        domains={"drv": driver_domain(guest)},
                        disks=[("state", state.name), ("web", disk.name)],
                        forwards=[(port, "10.0.2.21", 80)])
        with tested(board, given) as (machine, tap):
            play(machine, port, tap)
    return tap.status()


if __name__ == "__main__":
    sys.exit(main())
