#!/usr/bin/env python3
"""fio with verification and iperf3 in a guest of xl, against the back ends of the control domain, beside a hostile guest. TAP.

  load.py [--hostile NAME] [-v]      a guest of tests/guest/hostile (default: hyperfuzz)
"""
import argparse
import os
import re
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from many import Tap
from machine import HERE, OURS, TOP, Failed, Machine
import control


def hostile(name):
    """Domain file of an attacker that attacks for an hour, and again when it ends."""
    return (f'memory = 64\nvcpus = 1\nkernel = "{TOP}/build/arm64/tests/guest/{name}"\n'
            'vuart = "sbsa_uart"\nextra = "seed=1 ms=3600000"\nxen_enhanced = "no-xenstore"\n'
            'on_crash = "restart"\non_poweroff = "restart"\n')


def main():
    """0 if the data is right and somebody attacked."""
    words = argparse.ArgumentParser(description=__doc__,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--hostile", default="hyperfuzz", metavar="NAME")
    words.add_argument("-v", "--verbose", action="store_true")
    given = words.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    guest = control.guest_ramdisk(("fio:fio", "iperf3:iperf3"),
                                  [os.path.join(HERE, "guest") + "=/tests"])
    tap = Tap()
    with Machine("load", OURS, run="start,load", guest=guest, programs=("iperf3:iperf3",),
                 domains={given.hostile: hostile(given.hostile)}) as machine:
        try:
            machine.wait(r"guest: disk says disk-of-g1", 400)
            machine.wait(r"guest: fio verified", 60)
            tap.result(True, "fio: what was written is read, beside " + given.hostile)
            for way in ("there", "-R"):
                found = machine.wait(rf"guest: iperf3 {way} (\d+) Mbit/s", 60)
                tap.result(int(found[1]) > 0, f"iperf3 {way}: {found[1]} Mbit/s")
            machine.wait(r"run load: exit 0", 60)
            failed = re.findall(r"FAILED.*", machine.text)
            tap.result(not failed, f"nothing failed {failed[:3] or ''}")
            ended = re.search(rf"\] {given.hostile}.*(destroyed|crashed)", machine.text)
            tap.result(f"({given.hostile})" in machine.text and not ended, "the attacker was at it")
        except Failed as failure:
            tap.result(False, str(failure).replace("\n", "\n# "))
        print(f"# {machine.elapsed():.0f} s")
        if given.verbose:
            print(machine.text)
    print(f"1..{tap.count}")
    return 1 if tap.bad else 0


if __name__ == "__main__":
    sys.exit(main())
