#!/usr/bin/env python3
"""Shares of one CPU, on the real thing: Debian guests that compute without end.

  schedule.py [--hypervisor FILE]

Each guest runs a busy loop; the hypervisor's own accounting (`vcpus NAME` on its
console) tells after some seconds who got how much. Prints TAP.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from board import OURS, Board, Failed, Guest, Tap  # noqa: E402

SECONDS = 8
TOLERANCE = 0.03


def ask(board, command, pattern, timeout=20):
    """What the hypervisor's console answers."""
    board.read_to[None] = len(board.lines)
    board.send(None, command + "\r")
    board.expect(None, re.escape(command), timeout)  # its echo: what comes later is the answer
    return board.expect(None, pattern, timeout)


def ran_ms(board, name):
    """Milliseconds that vCPU 0 of a domain has run."""
    return int(ask(board, f"vcpus {name}", r"^ +0 +\w+ +\d+ +(\d+) .* share")[1])


def busy(board, name):
    """Let a guest compute for ever."""
    board.send(name, "while :; do :; done & echo busy $((6 * 7))\n")
    board.expect(name, "busy 42", 30)


def measure(board):
    """Run time of each guest over SECONDS, as shares of their sum."""
    before = {guest.name: ran_ms(board, guest.name) for guest in board.guests}
    board.drain(SECONDS)
    spent = {guest.name: ran_ms(board, guest.name) - before[guest.name]
             for guest in board.guests}
    return spent


def check_shares(board, weights):
    """`weights` (by name) are the shares, within TOLERANCE."""
    spent = measure(board)
    total, parts = sum(spent.values()), sum(weights.values())
    for name, weight in weights.items():
        share, wanted = spent[name] / total, weight / parts
        if abs(share - wanted) > TOLERANCE * wanted:
            raise Failed(f"{name} got {share:.3f} of the CPU instead of {wanted:.3f}: {spent}")
    return ", ".join(f"{name} {spent[name] / total:.3f}" for name in spent)


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


def main():
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hypervisor", default=OURS)
    options = parser.parse_args()
    tap = Tap(5)
    try:
        shares(tap, options.hypervisor)
    except Failed as why:
        tap.result("schedule: the rest", wrong=str(why))
    return 1 if tap.failures else 0


if __name__ == "__main__":
    sys.exit(main())
