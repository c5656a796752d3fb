#!/usr/bin/env python3
"""Static analyses of what runs at EL2: gcc -fanalyzer, clang-tidy with clang's analyser, cppcheck.

  static.py --cc CC --flags FLAGS FILE...

A finding that mk/static-known does not excuse, with its reason, is an error; so is an excuse that
nothing needs any more. As many files at a time as there are CPUs.
"""
import argparse
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
KNOWN = os.path.join(HERE, "static-known")
# Left out as a whole, and why.
TIDY = ("-*", "clang-analyzer-*", "bugprone-*", "performance-*", "misc-redundant-expression",
        "misc-static-assert", "readability-braces-around-statements",
        "-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling",  # wants Annex K
        "-clang-analyzer-optin.performance.Padding",  # fields are ordered for readers
        "-clang-analyzer-valist.Uninitialized",  # loses a va_list that is passed by pointer (fmt.c)
        "-bugprone-easily-swappable-parameters",  # types.h has types for what matters
        "-bugprone-implicit-widening-of-multiplication-result",  # counts of cells and registers
        "-bugprone-macro-parentheses",  # lists of X(...): names and types, not expressions
        "-bugprone-branch-clone",  # rows of a table
        "-performance-no-int-to-ptr")  # a hypervisor makes pointers of numbers
GCC = ("-fanalyzer",
       # gcc 12 takes every look-up that may return NULL to do so, also where the caller has checked
       # the index under the same lock; clang's analyser looks for the same and does follow that.
       "-Wno-analyzer-null-dereference")
CPPCHECK = ("--enable=warning,performance,portability", "--std=c11", "--inline-suppr",
            "-D__GNUC__=12", "-D__aarch64__", "--template={file}:{line}:{column}: warning: {message} [{id}]")
FINDING = re.compile(r"(\S+?):(\d+):\d+: (?:warning|error): (.*?) \[([\w.,=+-]+)\]$")


def run(words):
    """Findings of one program as {(file, check): [text]}."""
    out = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                         cwd=TOP, encoding="utf-8", errors="replace").stdout
    found = {}
    for line in out.splitlines():
        if match := FINDING.match(line):
            path = os.path.relpath(os.path.join(TOP, match[1]), TOP)
            check = match[4].split(",")[0]
            found.setdefault((path, check), []).append(f"{path}:{match[2]}: {match[3]} [{check}]")
    return found


def excuses():
    """{(file, check): reason}."""
    known = {}
    with open(KNOWN, encoding="utf-8") as text:
        for line in text:
            words = line.split("#")[0].split(None, 2)
            if len(words) == 3:
                known[words[0], words[1]] = words[2].strip()
            elif words:
                sys.exit(f"mk/static-known: no reason is given: {line.strip()}")
    return known


def main():
    """Exit status 1 if something is found."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cc", required=True)
    parser.add_argument("--flags", required=True)
    parser.add_argument("file", nargs="+")
    options = parser.parse_args()
    flags = [f for f in shlex.split(options.flags) if not f.startswith(("-W", "-flto", "-MM"))]
    include = [f for f in flags if f.startswith("-I")]
    jobs = [["cppcheck", "-q", *CPPCHECK, *include, *options.file]]
    for path in options.file:
        jobs.append([options.cc, *flags, *GCC, "-c", path, "-o", "/dev/null"])
        clang = [f for f in flags if not f.startswith(("-ffat", "-ftrivial", "-mno-outline"))]
        jobs.append(["clang-tidy-14", "--quiet", "--checks=" + ",".join(TIDY), path, "--",
                     "--target=aarch64-linux-gnu", "-Wno-everything", *clang])
    found, known = {}, excuses()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for more in pool.map(run, jobs):
            for key, texts in more.items():
                found.setdefault(key, []).extend(texts)
    bad = [text for key, texts in sorted(found.items()) if key not in known for text in texts]
    bad += [f"mk/static-known: nothing needs {' '.join(key)} any more" for key in known
            if key not in found]
    print("".join(text + "\n" for text in dict.fromkeys(bad)), end="", file=sys.stderr)
    print(f"check-static: {'not ok' if bad else 'ok'}, {len(options.file)} files, "
          f"{len(known)} findings excused with a reason")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
