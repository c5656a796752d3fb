#!/usr/bin/env python3
"""SQLite on a disk behind Linux's blkback, on Bulkhead, cut off at any moment. TAP.

  sqlite_kill.py [ROUNDS]     default 3

Each round starts the board on the same disk, waits for some rows, a random number, to be announced as
durable and kills QEMU: unikernel, back end and store end between two instructions. At the next start
the database must be intact and hold every row that was announced.
"""
import os
import random
import re
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
import ours


def main():
    """The rounds, and one more that only looks."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    chance = random.Random(sys.argv[2] if len(sys.argv) > 2 else None)
    script = os.path.join(ours.ROOT, "tests/libos/guest/blkback")
    domains = [ours.back_end("store", script, ("virtio_blk", "xen-blkback")),
               ours.unikernel("sqlite", 16, "-- 1000000")]
    print(f"1..{rounds}", flush=True)
    announced, failed = 0, 0
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        disk.truncate(32 << 20)
        for number in range(1, rounds + 1):
            machine = ours.Machine(domains, [
                "-drive", f"file={disk.name},if=none,id=disk,format=raw,cache=writeback",
                "-global", "virtio-mmio.force-legacy=off", "-device",
                "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0"])
            try:
                found = machine.expect(r"rows: (\d+), last (\d+), wrong (\d+)")
                clean = "integrity: ok" in machine.text
                goal = announced + chance.randint(20, 60)
                if number < rounds:
                    machine.expect(rf"durable: {goal}\b")
            finally:
                machine.stop()
            good = found and clean and int(found[1]) == int(found[2]) >= announced and \
                found[3] == "0"
            print(f"{'ok' if good else 'not ok'} {number} - sqlite, start {number}: "
                  f"{found[1] if found else 'no'} rows, intact; {announced} had been announced",
                  flush=True)
            if not good:
                failed += 1
                print("".join(f"# {line}\n" for line in machine.text.split("\n")[-40:]))
            announced = max([announced]
                            + [int(n) for n in re.findall(r"durable: (\d+)", machine.text)])
    return 1 if failed or not announced else 0


if __name__ == "__main__":
    sys.exit(main())
