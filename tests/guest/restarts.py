#!/usr/bin/env python3
"""Restart guests many times and see that nothing is left behind; prints TAP.

  restarts.py [--on IMAGE] [--lives N] [--gic 2|3] [-v]

Two guests (phoenix.c) mark their memory and reboot at once, for ever, on two
CPUs. After a few lives both are destroyed and the hypervisor says how much
memory is free; they are started again, live N times more, and are destroyed
again: as much must be free. Every life looks for traces of another.
A third sleeps, its timer set, when it is destroyed: the timer must not outlive it.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

from board import IMAGES, TOP, Board, Domain, Nudge, command, dies_with_parent

NAMES = ("phoenix", "ash")
SLEEPER = "sleeper"


class Console:
    """A running board, seen from its one serial line."""

    def __init__(self, words, nudge, deadline, verbose):
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, preexec_fn=dies_with_parent)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.nudge, self.deadline, self.verbose = nudge, deadline, verbose
        self.text, self.seen = "", 0

    def read(self):
        """Take in what has come."""
        data = self.process.stdout.read()
        if data == b"" and self.process.poll() is not None:
            raise TimeoutError("the machine stopped")
        text = (data or b"").decode("latin-1").replace("\r", "")
        if self.verbose:
            sys.stdout.write(text)
        self.text += re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
        return bool(data)

    def expect(self, pattern, count=1):
        """Wait until `pattern` has come `count` more times; returns the last match."""
        match = None
        while count:
            found = re.compile(pattern).search(self.text, self.seen)
            if found:
                match, self.seen, count = found, found.end(), count - 1
                continue
            if time.monotonic() > self.deadline:
                raise TimeoutError(f"waited for {pattern!r} ({count} more)")
            if not self.read():
                self.nudge()
                time.sleep(0.02)
        return match

    def send(self, text):
        """Type."""
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def close(self):
        """End QEMU; a plugin writes what it has counted."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_after_destroying(console):
    """KiB free once both guests are gone."""
    for name in NAMES:
        while True:  # refused while the guest is between two lives
            console.send(f"destroy {name}\n")
            if "gone" in console.expect(rf"{name} is gone|Not possible: {name}").group(0):
                break
    console.send("memory\n")
    match = console.expect(r"(\d+) free, (\d+) the")
    return int(match[1]), int(match[2])


def story(console, lives):
    """The whole test; returns [(good, text)]."""
    results = []
    console.expect(r"clean; \d+ pages marked", 7)
    console.send("\x14\x14\x14")
    console.expect("the hypervisor .*has keyboard")
    console.send(f"destroy {SLEEPER}\n")
    console.expect(f"{SLEEPER} is gone")
    first, owned = free_after_destroying(console)
    results.append((owned == 0, "destroyed guests own no memory"))
    for name in NAMES:
        console.send(f"start {name}\n")
        console.expect(f"{name} starts")
    console.expect(r"clean; \d+ pages marked", 2 * lives)
    last, owned = free_after_destroying(console)
    results.append((owned == 0 and last == first, f"{2 * lives} restarts leak nothing"))
    if last != first:
        print(f"# {first} KiB were free, {last} are")
    results.append(("TRACES" not in console.text, "no life found traces of another"))
    results.append((not re.search(r"check failed|\] warning:|crashed|cannot be built", console.text),
                    "the hypervisor complained of nothing"))
    return results


def main():
    """Run it; TAP."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", default="bulkhead")
    parser.add_argument("--lives", type=int, default=50, help="of each guest (default 50)")
    parser.add_argument("--gic", type=int, default=3)
    parser.add_argument("--timeout", type=int, default=300)
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    on = options.on if options.on == "bulkhead" else os.path.join(TOP, options.on)
    board = Board(options.gic, 2, 1024)
    image = os.path.join(IMAGES, "phoenix")
    domains = [Domain(name, image=image, memory=24, extra=f'bulkhead,name = "{name}";')
               for name in NAMES]
    domains.append(Domain(SLEEPER, image=image, memory=24, bootargs="sleep=200",
                          extra=f'bulkhead,name = "{SLEEPER}";'))
    with tempfile.TemporaryDirectory(prefix="bulkhead-restarts-") as directory:
        nudge = Nudge(directory)
        words = command(on, board, domains, directory) + nudge.arguments()
        console = Console(words, nudge, time.monotonic() + options.timeout, options.verbose)
        try:
            results = story(console, options.lives)
        except TimeoutError as error:
            results = [(False, f"the story came to its end: {error}")]
            for line in console.text.splitlines()[-25:]:
                print(f"#   {line}")
        finally:
            console.close()
    for number, (good, text) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - restarts: {text}")
    print(f"1..{len(results)}")


if __name__ == "__main__":
    main()
