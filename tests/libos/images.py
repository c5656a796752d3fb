#!/usr/bin/env python3
"""Images: sizes against the budget, and two builds bit for bit the same.

  images.py [NAME...]  TAP: two builds of each program are identical
  images.py --sizes    the table of sizes; exit 1 if a budget is broken
  images.py --tap      the same as TAP: one result for each image that is built
"""
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "app"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import toolchain

APPS = os.path.join(ROOT, "build/arm64/apps")
TOOL = [sys.executable, os.path.join(ROOT, "tools/app/app.py")]

# What an image may weigh, in bytes, without the files sealed into it: (budget, goal). The budget
# is what holds now and is only ever lowered; the goal is what the project set out to reach.
BUDGETS = {
    "hello": (29400, 32768),
    "web": (102400, 110 * 1024),
    "web-tls": (291100, 350 * 1024),
    "lighttpd": (416500, 420 * 1024),
    "sqlite": (1183200, 1185648),
    "dns": (153600, 150000),
}


def files_size(name):
    """Bytes of the archive of files in an image."""
    path = os.path.join(APPS, name, "files.archive")
    return os.path.getsize(path) if os.path.exists(path) else 0


def sizes(tap):
    """Print the table, or the results."""
    broken = False
    if tap:
        print(f"1..{len(BUDGETS)}")
    else:
        print(f"{'image':10} {'bytes':>9} {'files in it':>12} {'without':>9} {'budget':>9} {'goal':>9}")
    for number, (name, (budget, goal)) in enumerate(BUDGETS.items(), 1):
        path = os.path.join(APPS, name, name)
        if not os.path.exists(path):
            print(f"ok {number} # SKIP {name} is not built" if tap else f"{name:10} not built")
            continue
        whole, files = os.path.getsize(path), files_size(name)
        over = whole - files > budget
        broken |= over
        if tap:
            print(f"{'not ' * over}ok {number} - {name}: {whole - files} bytes without its files, {budget} at most")
            continue
        print(f"{name:10} {whole:9} {files:12} {whole - files:9} {budget:9} {goal:9}"
              f"{'  OVER BUDGET' if over else ''}{'' if whole - files <= goal else '  above goal'}")
    return 1 if broken else 0


def build(name):
    """Build afresh; the digest of the image."""
    shutil.rmtree(os.path.join(APPS, name), ignore_errors=True)
    subprocess.run(TOOL + ["build", "-t", "xen", name], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return toolchain.file_digest(os.path.join(APPS, name, name))


def main():
    """One of the two."""
    if "--sizes" in sys.argv or "--tap" in sys.argv:
        return sizes("--tap" in sys.argv)
    names = sys.argv[1:] or sorted(name for name in os.listdir(os.path.join(ROOT, "apps"))
                                   if os.path.exists(os.path.join(ROOT, "apps", name, "app.conf")))
    print(f"1..{len(names)}", flush=True)
    good = True
    for number, name in enumerate(names, 1):
        same = build(name) == build(name)
        good &= same
        print(f"{'ok' if same else 'not ok'} {number} - two builds of {name} are identical",
              flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
