#!/usr/bin/env python3
"""`make run DEMO=web`: curl's answers from a sealed unikernel behind Linux's netback on Bulkhead. TAP.

The files of the demo are used as they are; only the host's port is a free one.
"""
import hashlib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/libos"), os.path.join(ROOT, "tools/app")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import dom0
import ours

DEMO = os.path.join(ROOT, "demo/web")


def start(tool=()):
    """The demo's board and its port."""
    port = dom0.free_port()
    with open(os.path.join(DEMO, "qemu"), encoding="utf-8") as file:
        options = file.read().replace("@PORT@", str(port)).split()
    files = sorted(os.path.join(DEMO, f) for f in os.listdir(DEMO) if f.endswith(".cfg"))
    return ours.Machine(files, options, tool=tool), port


def curl(*words):
    """What curl answers: (exit status, output)."""
    result = subprocess.run(["curl", "-sS", "--max-time", "120"] + list(words), check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result.returncode, result.stdout


def same(path, url):
    """Is the file behind `url` the one at `path`?"""
    with open(path, "rb") as file:
        wanted = hashlib.sha256(file.read()).hexdigest()
    status, body = curl(url)
    return status == 0 and hashlib.sha256(body).hexdigest() == wanted


def main():
    """Three tests, one board."""
    failed = 0

    def report(number, passed, what):
        nonlocal failed
        failed += not passed
        print(f"{'ok' if passed else 'not ok'} {number} - demo web: {what}", flush=True)

    print("1..3", flush=True)
    demo, port = start()
    try:
        report(1, demo.expect(r"sealed: \d+ pages of code") and demo.expect("listening on"),
               "the unikernel is sealed and listens, in 1 MiB")
        url = f"http://127.0.0.1:{port}/"
        files = os.path.join(ROOT, "apps/web/files")
        report(2, same(os.path.join(files, "index.html"), url),
               "curl gets the index page through Linux's netback")
        status, _ = curl("-o", "/dev/null", "-w", "%{http_code}", url + "nothing")
        report(3, status == 0 and all(same(os.path.join(files, "words.txt"), url + "words.txt")
                                      for _ in range(20)),
               "twenty downloads have the file's hash")
    finally:
        demo.stop()
        if failed:
            print("".join(f"# {line}\n" for line in demo.text.split("\n")[-60:]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
