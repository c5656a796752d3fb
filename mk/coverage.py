#!/usr/bin/env python3
"""What the unit and property tests run of the pure parts, by file.

  coverage.py FOLDER [--lines 95 --branches 90] PREFIX...

FOLDER holds the .gcda files of a run. Counted are the sources below each PREFIX (hyp/core ...), a
file that no test is linked with as not covered at all (its lines as gcc counts them are unknown:
non-blank ones stand in). Lines with CHECK or ASSERT have a branch that is taken only when we are
broken: those branches are left out. Exit status 1 below the goal, if one is given.
"""
import argparse
import collections
import glob
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile


def gather(folder):
    """{file: {line: [count, [branch counts]]}} over all objects."""
    seen = collections.defaultdict(dict)
    notes = [os.path.abspath(p) for p in
             glob.glob(os.path.join(folder, "**/*.gcno"), recursive=True)]
    with tempfile.TemporaryDirectory() as directory:
        for start in range(0, len(notes), 50):
            subprocess.run(["gcov", "-b", "-j"] + notes[start:start + 50], cwd=directory,
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for path in glob.glob(os.path.join(directory, "*.gz")):
                with gzip.open(path) as text:
                    for one in json.load(text)["files"]:
                        add(seen[os.path.normpath(one["file"])], one["lines"])
                os.unlink(path)
    return seen


def add(lines, more):
    """A line that is compiled in several objects has run if it has run in one."""
    for line in more:
        known = lines.setdefault(line["line_number"], [0, [0] * len(line["branches"])])
        known[0] += line["count"]
        branches = [branch["count"] for branch in line["branches"]]
        if len(branches) == len(known[1]):
            known[1] = [a + b for a, b in zip(known[1], branches)]


def of_file(path, lines):
    """(lines, of them run, branches, of them taken)."""
    with open(path, encoding="utf-8") as text:
        source = text.read().splitlines()
    if not lines:
        return sum(bool(line.strip(" {}")) for line in source), 0, 0, 0
    branches = [count for number, (_, counts) in lines.items() for count in counts
                if not re.search(r"\b(CHECK|ASSERT)\(", source[number - 1])]
    return (len(lines), sum(bool(run) for run, _ in lines.values()), len(branches),
            sum(bool(count) for count in branches))


def per_cent(part, whole):
    """One digit after the point."""
    return 100 * part / whole if whole else 100.0


def main():
    """A table, worst files first."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--lines", type=float)
    parser.add_argument("--branches", type=float)
    parser.add_argument("prefix", nargs="+")
    options = parser.parse_args()
    seen, good = gather(options.folder), True
    for prefix in options.prefix:
        rows = {path: of_file(path, seen.get(path, {}))
                for path in sorted(glob.glob(os.path.join(prefix, "*.c")))}
        for path, row in sorted(rows.items(), key=lambda item: per_cent(item[1][1], item[1][0])):
            print(f"{per_cent(row[1], row[0]):6.1f} % of {row[0]:5} lines "
                  f"{per_cent(row[3], row[2]):6.1f} % of {row[2]:5} branches  {path}"
                  f"{'' if path in seen else '  (in no test)'}")
        total = [sum(column) for column in zip(*rows.values())]
        lines, branches = per_cent(total[1], total[0]), per_cent(total[3], total[2])
        print(f"{lines:6.1f} % of {total[0]:5} lines {branches:6.1f} % of {total[2]:5} branches  "
              f"{prefix}, all")
        good &= lines >= (options.lines or 0) and branches >= (options.branches or 0)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
