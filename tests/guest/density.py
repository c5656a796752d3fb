#!/usr/bin/env python3
"""Fill a board with small guests, and ask each of them for a sign of life.

  density.py [COUNT]      default 1000 guests of 1 MiB on a board of 4 GiB and two CPUs

Each guest (echo.c) sleeps until a key comes. The script gives the keyboard to one after
the other with Ctrl-T, types a key, and waits for the answer; then it asks the hypervisor
how much memory is left, and who still lives. TAP on stdout; measure() is also a set-up
of bench/run.py.
"""
import argparse
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time

import board as guests
from child import dies_with_parent

GUEST_MIB = 1
LOGS = os.path.join(guests.TOP, "build/logs")
SLOW = float(os.environ.get("SLOW", "4"))


class Console:
    """The serial line of a running board."""

    def __init__(self, words):
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, preexec_fn=dies_with_parent)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.text = self.all = ""

    def until(self, pattern, seconds, times=1):
        """Drop and return the text up to the `times`th match; None if it does not come."""
        deadline = time.monotonic() + seconds * SLOW
        while True:
            found = list(re.finditer(pattern, self.text))
            if len(found) >= times:
                end = found[times - 1].end()
                text, self.text = self.text[:end], self.text[end:]
                return text
            left = deadline - time.monotonic()
            if left <= 0 or not self.selector.select(left):
                return None
            data = self.process.stdout.read(65536)
            if data == b"":
                return None
            more = (data or b"").decode("latin-1").replace("\r", "")
            self.text += more
            self.all += more

    def type(self, keys):
        """Send keys."""
        self.process.stdin.write(keys)
        self.process.stdin.flush()

    def close(self):
        """End the machine."""
        self.process.kill()
        self.process.wait()


def measure(on="bulkhead", count=1000, say=lambda text: None):
    """What came of `count` guests: a dict of answered, free_kib and lines of trouble.

    With 1,000 at once some lines are cut in two: the scheduler takes the CPU away in the middle, and
    what there is is shown. So nothing is concluded from "ready"; the answers count.
    """
    board = guests.Board(cpus=2, memory=4096, icount=False)
    domains = [guests.Domain("echo", memory=GUEST_MIB, extra=f'bulkhead,name = "e{i}";')
               for i in range(1, count + 1)]
    for domain in domains:
        domain.share_module = True
    result = {"answered": 0, "free_kib": None, "trouble": []}
    with tempfile.TemporaryDirectory(prefix="bulkhead-density-") as directory:
        console = Console(guests.command(on, board, domains, directory))
        try:
            began, ready = time.monotonic(), 0
            while ready < count and console.until(r"ready", 5):
                ready += 1
            say(f"{ready} of {count} said \"ready\" in one piece, after "
                f"{time.monotonic() - began:.0f} s")
            ask(console, count, result)
        finally:
            console.close()
            os.makedirs(LOGS, exist_ok=True)
            with open(os.path.join(LOGS, "density.log"), "w", encoding="utf-8") as log:
                log.write(console.all)
    return result


def ask(console, count, result):
    """A key to each, in the order in which Ctrl-T goes round, and a question to the hypervisor."""
    for _ in range(count + 1):
        console.type(b"\x14")
        text = console.until(r"--- .* has .*keyboard.*\n", 30)
        if text is None:
            result["trouble"].append("no answer to Ctrl-T: " + console.text[-300:])
            return
        name = re.search(r"--- (\S+)", text)[1]
        if name == "the":
            console.type(b"memory\r")
            text = console.until(r"KiB of memory; \d+ free", 30)
            result["free_kib"] = int(re.search(r"; (\d+) free", text)[1]) if text else None
            continue
        console.type(b"?")
        if console.until(r"echo: alive 1\n", 30):
            result["answered"] += 1
        else:
            result["trouble"].append(f"{name} is silent: {console.text[-300:]}")
            if len(result["trouble"]) > 5:
                return


def main():
    """TAP."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=1000)
    options = parser.parse_args()
    result = measure("bulkhead", options.count, lambda text: print("# " + text, flush=True))
    for line in result["trouble"]:
        print("# " + line.replace("\n", "\n# "))
    good = result["answered"] == options.count
    print(f"{'ok' if good else 'not ok'} - {options.count} guests on 4 GiB, and "
          f"{result['answered']} answer")
    free = result["free_kib"]
    print(f"{'ok' if free else 'not ok'} - the hypervisor's console answers beside them: "
          f"{free} KiB free")
    print("1..2")
    sys.exit(0 if good and free else 1)


if __name__ == "__main__":
    main()
