#!/usr/bin/env python3
"""Run test suites that speak TAP and close with one line: 'N passed, N failed'.

A suite is a shell command. It prints `1..N` and, for each test, `ok` or
`not ok`. A suite that prints no plan, fewer results than planned, or ends
with a failing status although all its tests passed, counts as one more
failure: silence is never success.

Lanes run side by side, the suites of one lane one after the other; what a
suite printed appears in one piece when it ends. Suites that judge time run
afterwards, each alone.
"""
import argparse
import re
import resource
import subprocess
import sys
import threading
import time

RESULT = re.compile(r"^(ok|not ok)\b(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)")


class Count:
    """What all suites found, and the one place that prints."""

    def __init__(self):
        self.lock = threading.Lock()
        self.passed = self.failed = 0

    def say(self, text):
        """Print whole lines."""
        with self.lock:
            print(text, flush=True)

    def add(self, passed, failed):
        """Take in the results of one suite."""
        with self.lock:
            self.passed += passed
            self.failed += failed


def run_suite(command, say):
    """Run one suite, `say` each line; return (passed, failed)."""
    say(f"# suite: {command}")
    began = time.monotonic()
    passed = failed = 0
    planned = None
    with subprocess.Popen(["bash", "-c", command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            say(line)
            if match := RESULT.match(line):
                if match[1] == "ok":
                    passed += 1
                else:
                    failed += 1
            elif match := PLAN.match(line):
                planned = (planned or 0) + int(match[1])
        status = process.wait()
    if planned is None:
        say("not ok - suite printed no plan (1..N)")
        failed += 1
    elif passed + failed != planned:
        say(f"not ok - suite planned {planned} tests and reported {passed + failed}")
        failed += 1
    if status != 0 and failed == 0:
        say(f"not ok - suite exited with status {status}")
        failed += 1
    say(f"# {passed} passed, {failed} failed in {time.monotonic() - began:.0f} s")
    return passed, failed


def run_lane(suites, count):
    """Run `suites` one after the other; what each prints is held back until it ends."""
    for command in suites:
        count.say(f"# begins: {command}")
        lines = []
        results = run_suite(command, lines.append)
        count.say("\n".join(lines))
        count.add(*results)


def listed(text):
    """The commands of a list as the Makefile writes it."""
    return [command.strip() for command in text.split(";") if command.strip()]


def main():
    """Run every suite given, print the sum, exit 0 only if something ran and nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lane", action="append", default=[], metavar="COMMAND;COMMAND;...",
                        help="commands that print TAP; each lane given runs beside the others")
    parser.add_argument("--alone", default="", metavar="COMMAND;COMMAND;...",
                        help="commands that run when the lanes have ended, one by one")
    arguments = parser.parse_args()
    count, began = Count(), time.monotonic()
    lanes = [threading.Thread(target=run_lane, args=(listed(lane), count))
             for lane in arguments.lane]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    for command in listed(arguments.alone):
        count.add(*run_suite(command, count.say))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"# {time.monotonic() - began:.0f} s; processor time {used.ru_utime + used.ru_stime:.0f} s")
    print(f"{count.passed} passed, {count.failed} failed")
    return 0 if count.passed and not count.failed else 1


if __name__ == "__main__":
    sys.exit(main())
