#!/usr/bin/env python3
"""Run tests/guest/conform/xencalls on Bulkhead and on stock Xen 4.17, and compare what it prints.

Every line must be equal but for DIFFERENCES, each of which is explained in
docs/abi-coverage.md; one that has gone is a failure as well. Prints TAP.
"""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests/guest"))
import board as guests  # noqa: E402  (tests/guest/board.py)

# What a line is about: what Bulkhead and Xen say, and the word of docs/abi-coverage.md to look for.
DIFFERENCES = {
    "bind_pirq": ("-38", "-12", "EVTCHNOP_bind_pirq"),
    "memory_op 11": ("-38", "0", "XENMEM_exchange"),
    "memory_op 27": ("-38", "-22", "reserved_device_memory_map"),
    "entry 101": ("map 0, copy 0, flags 101", "map -1, copy 0, flags 101", "GTF_sub_page"),
    **{f"entry {flags:x} in use": (f"map -1, copy -1, flags {flags | 0x18:x}",
                                   f"map 0, copy 0, flags {flags | 0x18:x}", "revoked")
       for flags in (0, 2, 3, 7, 0x103)},
    "vcpu_op 8": ("0", "-22", "VCPUOP_set_singleshot_timer"),
    "vcpu_op 9": ("0", "-22", "VCPUOP_stop_singleshot_timer"),
}


def transcript(on):
    """The guest's lines on one hypervisor."""
    board = guests.boot(on, [guests.Domain("xencalls", vcpus=2, memory=64)],
                        guests.Board(cpus=2, memory=2048, icount=False), timeout=120)
    lines = board.lines["xencalls"]
    if not any("all calls made" in line for line in lines):
        print(f"# {on}: {board.ended}")
        for line in board.raw[-10:]:
            print(f"#   {line}")
        return []
    return lines


def main():
    """Two boots, one comparison."""
    print("1..3")
    ours, theirs = transcript("bulkhead"), transcript("xen")
    enough = len(ours) > 250 and len(ours) == len(theirs)
    print(f"{'ok' if enough else 'not ok'} - the guest makes all its calls on both")
    wrong, seen = [], set()
    for mine, other in zip(ours, theirs):
        what = mine.rpartition(": ")[0]
        if what in DIFFERENCES and (mine, other) == tuple(
                f"{what}: {answer}" for answer in DIFFERENCES[what][:2]):
            seen.add(what)
        elif mine != other:
            wrong.append(f"Bulkhead: {mine}   Xen: {other}")
    good = enough and not wrong and seen == set(DIFFERENCES)
    print(f"{'ok' if good else 'not ok'} - {len(ours)} answers equal Xen's but for {len(seen)} known ones")
    for line in wrong + [f"no longer different: {what}" for what in set(DIFFERENCES) - seen]:
        print(f"# {line}")
    with open(os.path.join(TOP, "docs/abi-coverage.md"), encoding="utf-8") as text:
        coverage = text.read()
    silent = [what for what, how in DIFFERENCES.items() if how[2] not in coverage]
    print(f"{'not ok' if silent else 'ok'} - docs/abi-coverage.md explains each")
    sys.exit(not good or bool(silent))


if __name__ == "__main__":
    main()
