#!/usr/bin/env python3
"""Shares of one CPU, on the real thing: Debian guests that compute without end.

  schedule.py [--hypervisor FILE]

Each guest runs a busy loop; the hypervisor's own accounting (`list` on its
console) tells after some seconds who got how much. Then a real-time guest beside one that
runs hackbench, and one that has a CPU for itself. Prints TAP.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from board import OURS, Board, Failed, Guest, Tap  # noqa: E402

SECONDS = 3
TOLERANCE = 0.03


def ask(board, command, pattern, timeout=20):
    """What the hypervisor's console answers: a line of it, once that is complete."""
    board.send(None, "")
    board.expect(None, r"bulkhead> (\x1b\[K)?$", timeout)  # the answer before is complete
    board.read_to[None] = len(board.lines)
    board.send(None, command + "\r")
    return board.expect(None, pattern, timeout, whole=True)


def times_ms(board, name):
    """Milliseconds that vCPU 0 of a domain has run, and waited for a CPU that others had."""
    match = ask(board, f"vcpus {name}", r"^ +0 +\w+ +\d+ +(\d+) +(\d+) ")
    return int(match[1]), int(match[2])


def ran_ms(board):
    """Milliseconds that each domain has run, all looked at in one moment."""
    board.send(None, "")
    board.expect(None, r"bulkhead> (\x1b\[K)?$", 20)
    board.read_to[None] = len(board.lines)
    board.send(None, "list\r")
    found = {guest.name: board.expect(None, rf"^ +\d+  {guest.name} +\w+ +\d+ +\d+ +(\d+)\.(\d{{3}}) ", 20)
             for guest in board.guests}
    return {name: int(match[1] + match[2]) for name, match in found.items()}


def busy(board, name):
    """Let a guest compute for ever."""
    board.send(name, "while :; do :; done & echo busy $((6 * 7))\n")
    board.expect(name, "busy 42", 30)


def measure(board, before=None):
    """Milliseconds that each guest ran over SECONDS, or since `before`."""
    before = before or ran_ms(board)
    board.drain(SECONDS)
    return {name: ran - before[name] for name, ran in ran_ms(board).items()}


def check_shares(board, weights):
    """
    `weights` (by name) are the shares, within TOLERANCE. An emulator that its host stops in the midst of a
    slice charges that to one guest, which is made good afterwards: so a longer stretch may be looked at. What
    is not fair does not become so by looking longer.
    """
    before, parts = ran_ms(board), sum(weights.values())
    for _ in range(4):
        spent = measure(board, before)
        total = sum(spent.values())
        if all(abs(spent[name] / total - weight / parts) <= TOLERANCE * weight / parts
               for name, weight in weights.items()):
            return ", ".join(f"{name} {spent[name] / total:.3f}" for name in spent) + f" in {total} ms"
    raise Failed(f"shares are not {weights}: {spent}")


def shares(tap, hypervisor):
    """1:1, 2:1 and 4:1, changed while they run; then a cap; then a pause."""
    guests = [Guest("home"), Guest("work")]
    with Board("schedule", guests, cpus=1, hypervisor=hypervisor) as board:
        for guest in guests:
            board.expect(guest.name, f"{guest.name}: Debian's Linux", 60)
        for guest in guests:
            busy(board, guest.name)
        for weight in (1, 2, 4):
            ask(board, f"weight home {256 * weight}", "has its new share")
            note = check_shares(board, {"home": weight, "work": 1})
            tap.result(f"schedule: {weight}:1 on one CPU", note=note)
        ask(board, "weight home 256 25", "has its new share")
        spent = measure(board)
        if not 0.10 <= spent["home"] / sum(spent.values()) <= 0.25 * (1 + TOLERANCE):
            raise Failed(f"a cap of 25 % gave {spent}")
        tap.result("schedule: a cap of 25 % beside a hog", note=str(spent))
        ask(board, "pause work", "is paused")
        spent = measure(board)
        if spent["work"] > 20:
            raise Failed(f"a paused guest ran: {spent}")
        ask(board, "unpause work", "goes on")
        board.send("work", "echo alive $((6 * 7))\n")
        board.expect("work", "alive 42", 20)
        tap.result("schedule: a paused guest does not run, and goes on afterwards")


def deadlines(tap, board):
    """The real-time guest wakes every 10 ms while its neighbour runs hackbench: it is let in at once."""
    board.send("work", "while :; do hackbench -g 1 -l 20; done >/dev/null & echo busy $((6 * 7))\n")
    board.expect("work", "busy 42", 30)
    # Starting a program takes more than its budget, so it waits by right: measured is what follows. The guest
    # looks for the thread that cyclictest makes and does not announce; the shell has nothing to be woken by.
    board.send("home", "cyclictest -q -p 80 -i 10000 -l 900 -t 1 & until [ -d /proc/$!/task ] && "
               "[ $(ls /proc/$!/task | wc -l) = 2 ]; do sleep 0.1; done; echo goes $((6 * 7))\n")
    board.expect("home", "goes 42", 60)
    waits = []
    for _ in range(5):
        before = times_ms(board, "home")[1]
        board.drain(1)
        waits.append(times_ms(board, "home")[1] - before)
    board.send("home", "")
    found = board.expect("home", r"Avg: *(\d+) Max: *(\d+)", 60)
    note = f"waited {waits} ms in a second each; latency {found[1]} us on average, {found[2]} at most"
    # 100 wake-ups a second; what is left to wait for is the neighbour's way out of EL2. An emulator that is
    # stopped for long eats of the budget, so the best second counts: a hog's whole slice each time is 400 ms.
    wrong = note if min(waits) > 40 else None
    tap.result("schedule: a real-time guest beside hackbench is never made to wait", wrong, note=note)


def budget(tap, board):
    """It computes without end: it gets its 8 ms of 10, no more, and the neighbour the rest."""
    busy(board, "home")
    spent = measure(board)
    home, work = spent["home"], spent["work"]
    note = f"{home} ms for the real-time guest, {work} ms for its neighbour"
    share = home / (home + work)
    wrong = None if abs(share - 0.8) <= 0.8 * TOLERANCE else note
    tap.result("schedule: a real-time budget is kept, by both sides", wrong, note=note)


def cpu_row(board, number):
    """Context switches and interrupts of a CPU so far."""
    row = ask(board, "cpus", rf"^ +{number}  \S+ +(.*?) +\d+ +\d+ +\d+ +(\d+) +(\d+)(.*)$")
    return row[1], int(row[2]), int(row[3]), row[4]


def timer_interrupts(board, name):
    """What a guest has counted itself."""
    board.read_to[name] = len(board.lines)
    board.send(name, "echo timer $(awk '/arch_timer/ { print $2 }' /proc/interrupts) in all\n")
    return int(board.expect(name, r"^timer (\d+) in all", 30)[1])


def dedicated(tap, board):
    """A guest with a CPU for itself: no scheduler, no waiting, no interrupts but its own."""
    busy(board, "car")
    # Its own are counted a little longer than the CPU's, and nobody types at it meanwhile: what is left is others'.
    own, start = timer_interrupts(board, "car"), times_ms(board, "car")
    who, switches, interrupts, mark = cpu_row(board, 1)
    board.drain(SECONDS)
    _, switches_now, interrupts_now, _ = cpu_row(board, 1)
    own_now, end = timer_interrupts(board, "car"), times_ms(board, "car")
    foreign = max(0, interrupts_now - interrupts - (own_now - own))
    note = f"{switches_now - switches} switches, {foreign} interrupts beside its own {own_now - own}"
    wrong = None
    if who != "car.0" or "dedicated" not in mark or switches_now != switches or foreign > 50 \
            or end[1] != start[1]:
        wrong = f"{note}; CPU 1 runs {who}{mark}; waited {end[1] - start[1]} ms"
    tap.result("schedule: a dedicated CPU sees no scheduler and no other's interrupts", wrong,
               note=note)


def reservations(tap, hypervisor):
    """Real time on one CPU beside a hog, and a guest that has the other CPU."""
    guests = [Guest("home", sched="rt", budget=8000, period=10000,
                    programs=("rt-tests:cyclictest",)),
              Guest("work", programs=("rt-tests:hackbench",)), Guest("car", sched="dedicated")]
    with Board("realtime", guests, cpus=2, hypervisor=hypervisor) as board:
        for guest in guests:
            board.expect(guest.name, f"{guest.name}: Debian's Linux", 60)
        deadlines(tap, board)
        budget(tap, board)
        dedicated(tap, board)


def main():
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hypervisor", default=OURS)
    options = parser.parse_args()
    tap = Tap(8)
    for part in (shares, reservations):
        try:
            part(tap, options.hypervisor)
        except Failed as why:
            tap.result(f"schedule: the rest of {part.__name__}", wrong=str(why))
    return 1 if tap.failures else 0


if __name__ == "__main__":
    sys.exit(main())
