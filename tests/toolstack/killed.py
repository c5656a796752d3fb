#!/usr/bin/env python3
"""The control domain is killed at random moments while it creates and destroys guests. TAP.

  killed.py [--kills 50] [--seed N] [-v]

A guest that it made before must run on, and what it says must not be lost; after each restart
`xl` lists it by name and manages it; what was half built is gone; and the
hypervisor has as much memory free as after the first restart, to the frame.
A disk keeps /var/lib/xen, as it would on a real control domain.
"""
import os
import random
import re
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from machine import OURS, Machine, guest_ramdisk, parser, tested
from many import spare_kib

# A round of the loop takes 20 seconds on an idle machine; kills fall anywhere in so many.
ROUND = 30


def kill(machine):
    """Restart the control domain from the hypervisor's console; the keyboard goes back to it."""
    for _ in range(8):
        machine.send("\x14")
        if machine.wait(r"--- (the hypervisor|\S+).* has keyboard", 30)[1] == "the hypervisor":
            break
    machine.send("reboot control\r")
    machine.wait(r"control is being started again", 60)
    machine.send("\x14")
    machine.wait(r"--- (the hypervisor|\S+).* has keyboard", 30)


class Beats:
    """The guest's numbers and its seconds since it was started, over all lives."""

    def __init__(self):
        self.last = self.up = self.count = 0

    def take(self, text):
        """Judge what one life has found in the guest's console; what is wrong."""
        found = [tuple(map(int, pair)) for pair in re.findall(r"(\d+) (\d+),", text)]
        wrong = []
        if not found or found[-1][0] <= self.last:
            return [f"no beat since the {self.last}th"]
        numbers = [number for number, _ in found]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            wrong.append(f"beats are missing in {numbers}")
        # Two seconds each; what the pause in each life and a busy machine take comes on top.
        if self.last and found[-1][1] - self.up > 4 * (found[-1][0] - self.last) + 30:
            wrong.append(f"{found[-1][0] - self.last} beats in {found[-1][1] - self.up} s")
        self.last, self.up = found[-1]
        self.count += len(found)
        return wrong


def life(machine, number, chance, beats, first_free):
    """From the restart to the next kill; (what is wrong, memory free)."""
    begin = machine.seen
    machine.wait(rf"killed: {number}: ready", 200)
    shown = dict(re.findall(rf"killed: {number}: (names|beats) (.*)", machine.text[begin:machine.seen]))
    wrong = re.findall(rf"killed: {number}: (FAILED.*)", machine.text[begin:machine.seen])
    wrong += beats.take(shown.get("beats", ""))
    names = set(shown.get("names", "Domain-0 keeper").split())
    if not {"Domain-0", "keeper"} <= names <= {"Domain-0", "keeper", "s"}:
        wrong.append(f"xl list shows {names}")
    free = spare_kib(machine)
    if number > 1 and free != first_free:
        wrong.append(f"{first_free} KiB free after the first restart, {free} now")
    machine.send("\n")
    moment = machine.elapsed() + chance.uniform(0, ROUND)
    while machine.elapsed() < moment and not machine.ended:
        machine.pump(moment - machine.elapsed())
    wrong += re.findall(rf"killed: {number}: (FAILED.*)", machine.text[machine.seen:])
    kill(machine)
    return wrong, free


def play(machine, tap, given):
    """All lives, and what they were worth together."""
    chance, free, beats = random.Random(given.seed), None, Beats()
    print(f"# seed {given.seed}")
    for number in range(given.kills + 1):
        wrong, now = life(machine, number, chance, beats, free)
        free = now if number == 1 else free
        tap.result(not wrong, f"life {number}: {'; '.join(wrong) or 'all there'}")
    tap.result(beats.count > given.kills, f"{beats.count} beats of the guest were heard")
    built = len(re.findall(r"was only half built by control", machine.text))
    tap.result(built > 0, f"{built} half-built domains were reclaimed")


def main():
    """Run it; 0 if all is well."""
    words = parser(__doc__)
    words.add_argument("--kills", type=int, default=50)
    words.add_argument("--seed", type=int, default=1)
    given = words.parse_args()
    with tempfile.NamedTemporaryFile(prefix="bulkhead-test-") as disk:
        disk.truncate(16 << 20)
        board = Machine("killed", OURS, run="start,killed", guest=guest_ramdisk(),
                        disks=[("state", disk.name)])
        with tested(board, given) as (machine, tap):
            play(machine, tap, given)
    return tap.status()


if __name__ == "__main__":
    sys.exit(main())
