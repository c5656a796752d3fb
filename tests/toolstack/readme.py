#!/usr/bin/env python3
"""What README's section on Debian's xl says, done line by line. TAP.

  readme.py [-v]

The commands are read from the README, only the ports are others; what each
must show is here.
"""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from machine import SLOW, TOP, Failed, Session, free_port, parser, tested

PROMPT = r"control:~# "
# Not a key that somebody has to confirm, nor one that the next run would find changed.
SSH = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]


def commands():
    """The lines of README's section, without their remarks."""
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as file:
        section = re.search(r"(?ms)^## Debian's xl\n(.*?)^## ", file.read())[1]
    return [line.partition("#")[0].strip() for line in section.split("\n")
            if line.startswith("    ")]


class Demo(Session):
    """`make run`, as the README gives it."""

    def __init__(self, words):
        super().__init__("readme")
        self.words = words

    def command(self):
        return self.words


def answer(words, pattern, seconds):
    """The match in what a command of the host's prints; it is tried until then."""
    deadline = time.monotonic() + seconds * SLOW
    text = ""
    while time.monotonic() < deadline:
        text = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60 * SLOW,
                              check=False).stdout.decode("utf-8", "replace")
        match = re.search(pattern, text)
        if match:
            return match
        time.sleep(1)
    raise Failed(f"{' '.join(words)} did not show {pattern!r}, but {text[-300:]!r}")


def on_time(who, match):
    """A clock that runs like ours, within a minute."""
    late = time.time() - int(match[1])
    if abs(late) > 60 * SLOW:
        raise Failed(f"the clock of {who} is {late:.0f} s behind ours")
    return f"{who} knows what time it is"


def play(lines, demo, ports):
    """Yield what has been shown to work."""
    demo.wait(PROMPT, 100)
    yield "the prompt of the control domain"
    local = [line.replace("8080", ports["PORT"]).replace("2222", ports["SSH"]).split()
             for line in lines]
    answer([local[1][0], "-s", "-S", "-m", "20"] + local[1][1:], "This page comes from a Debian guest", 100)
    yield f"{lines[1]}: the guest's page"
    found = answer(local[2][:1] + SSH + local[2][1:] + ["echo $(hostname) $(wc -l < /srv/starts) $(date +%s)"],
                   r"web [1-9]\d* (\d+)", 60)
    yield f"{lines[2]}: a shell in the guest, its disk written to"
    yield on_time("the guest", found)
    demo.send("date +%s\r")
    yield on_time("the control domain", demo.wait(r"\n(\d+)\n", 30))
    demo.send(lines[3] + "\r")
    demo.wait(r"\nweb +1 +256 +1 +[-r][-b]----", 60)
    demo.wait(r"web: http and ssh answer|web:~# ", 60)
    demo.send("\recho $((6 * 7)) by $(hostname)\r")
    demo.wait(r"\n42 by web\n", 30)
    demo.send("\x1d")
    demo.wait(PROMPT, 30)
    yield f"{lines[3]}: lists it, is its console, and comes back"


def main():
    """0 if all that the README says is so."""
    given = parser(__doc__).parse_args()
    lines = commands()
    ports = {name: str(free_port()) for name in ("PORT", "SSH")}
    demo = Demo(lines[0].split() + [f"{name}={port}" for name, port in ports.items()])
    with tested(demo, given) as (demo, tap):
        for what in play(lines, demo, ports):
            tap.result(True, what)
    return tap.status()


if __name__ == "__main__":
    sys.exit(main())
