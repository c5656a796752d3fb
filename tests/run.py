#!/usr/bin/env python3
"""Run test suites that speak TAP and close with one line: 'N passed, N failed'.

A suite is a shell command. It prints `1..N` and, for each test, `ok` or
`not ok`. A suite that prints no plan, fewer results than planned, or ends
with a failing status although all its tests passed, counts as one more
failure: silence is never success.
"""
import argparse
import re
import subprocess
import sys
import time

RESULT = re.compile(r"^(ok|not ok)\b(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)")


def run_suite(command):
    """Run one suite; return (passed, failed), echoing its output."""
    print(f"# suite: {command}", flush=True)
    began = time.monotonic()
    passed = failed = 0
    planned = None
    process = subprocess.Popen(
        ["bash", "-c", command], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for raw in process.stdout:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        print(line, flush=True)
        if match := RESULT.match(line):
            if match[1] == "ok":
                passed += 1
            else:
                failed += 1
        elif match := PLAN.match(line):
            planned = (planned or 0) + int(match[1])
    status = process.wait()
    if planned is None:
        print("not ok - suite printed no plan (1..N)")
        failed += 1
    elif passed + failed != planned:
        print(f"not ok - suite planned {planned} tests and reported {passed + failed}")
        failed += 1
    if status != 0 and failed == 0:
        print(f"not ok - suite exited with status {status}")
        failed += 1
    print(f"# {passed} passed, {failed} failed in {time.monotonic() - began:.0f} s", flush=True)
    return passed, failed


def main():
    """Run every suite given, print the sum, exit 0 only if something ran and nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", action="append", default=[], metavar="COMMAND",
                        help="a command that prints TAP; may be given several times")
    parser.add_argument("--suites", default="", metavar="COMMAND;COMMAND;...",
                        help="the same, as the Makefile lists them")
    arguments = parser.parse_args()
    passed = failed = 0
    listed = [command.strip() for command in arguments.suites.split(";") if command.strip()]
    for command in arguments.suite + listed:
        suite_passed, suite_failed = run_suite(command)
        passed += suite_passed
        failed += suite_failed
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
