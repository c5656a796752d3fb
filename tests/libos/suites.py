#!/usr/bin/env python3
"""lighttpd's and SQLite's own tests in C, from Debian's source packages, on both hypervisors. TAP.

lighttpd-check: `make check`'s test_common, test_configfile and test_mod but for its test_mod_ssi, which starts
a process. sqlite-check: speedtest1, whose hash over all answers must be that of the same program as a Linux
process. Left out: lighttpd's tests in Perl, which start CGI and FastCGI processes beside the server; SQLite's
in Tcl, which need an interpreter with its test extension and processes of its own.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/libos"), os.path.join(ROOT, "tools/app")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import tap
import xen_boot

HASH = r"Verification Hash: (\d+ [0-9a-f]+)"


def as_process(name):
    """What the program says as a Linux process; its build for xen is made too."""
    for stage in ("xen", "linux"):
        said = subprocess.run(tap.TOOL + ["build", "-t", stage, name], check=True, stdout=subprocess.PIPE)
    program = said.stdout.decode().split()[-1]
    words = ["--size", "5", "--testset", "main", "--verify", ":memory:"] if name == "sqlite-check" else []
    result = subprocess.run([program] + words, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result.returncode, result.stdout.decode("utf-8", "replace")


def main():
    """Linux, then both hypervisors."""
    said = {}
    for name, *_ in xen_boot.SUITES:
        status, said[name] = as_process(name)
        tap.report(status == 0, f"linux: {name}")
    wanted = re.search(HASH, said["sqlite-check"])
    for where, hypervisor in (("bulkhead", os.path.join(ROOT, "build/arm64/bulkhead")), ("xen", None)):
        left, text = xen_boot.boot(xen_boot.SUITES, hypervisor)
        for number, (name, *_) in enumerate(xen_boot.SUITES):
            words = xen_boot.words_of(number, text)
            found = re.search(HASH, words)
            good = number not in left and (name != "sqlite-check" or (found and wanted and found[1] == wanted[1]))
            tap.report(good, f"{where}: {name}" + (f": {found[1]}, as on Linux" if found and good else ""))
            if not good:
                print("".join(f"# {line}\n" for line in words.split("\n")[-30:]), flush=True)
    print(f"1..{len(tap.RESULTS)}")
    return 0 if all(tap.RESULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
