#!/usr/bin/env python3
"""Back ends that die and come back, or are unplugged and plugged in again, under load on Bulkhead. TAP.

  back_kill.py [--kills N] [--seed N]

`back`, a stock Debian without any right, serves a web server and a database by xen-netback and
xen-blkback; its own network and disk come from `ctl` (the store), whose network card leads here. Clients
get a file over connections that stay open all the while and compare each answer; the database adds
rows. Neither may lose anything: connections stay, every row is announced in its turn, and the next life of
the database finds them all.
"""
import argparse
import http.client
import os
import random
import re
import signal
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/libos"), os.path.join(ROOT, "tests/system")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import clients
import on_bulkhead
import pvio
import tap
from board import Failed, Guest

BACK, WEB, SQLITE = 2, 3, 4  # their places on the board
CONNECTIONS = 8
NET, DISK = f"net {BACK} {WEB} 0", f"disk {BACK} {SQLITE} 0"


def back():
    """The driver domain."""
    return Guest("back", run=("driver",), memory=192, extra="console=hvc0 quiet", programs=("ethtool:ethtool",),
                 modules=("xen-netfront", "xen-blkfront", "bridge", "xen-netback", "xen-blkback"),
                 files=(f"{ROOT}/tests/libos/guest/driver=/tests/driver",), **pvio.PV)


class Load:
    """Connections that ask again and again until told to stop."""

    def __init__(self):
        with open(os.path.join(tap.FILES, "words.txt"), "rb") as file:
            self.wanted = file.read()
        self.served = [0] * CONNECTIONS
        self.errors = []
        self.stopping = False
        self.threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(CONNECTIONS)]
        for thread in self.threads:
            thread.start()

    def _ask(self, number):
        try:
            connection = http.client.HTTPConnection(clients.address_of("web"), 80, timeout=600)
            while not self.stopping:
                connection.request("GET", "/words.txt")
                answer = connection.getresponse()
                if answer.read() != self.wanted or answer.status != 200:
                    self.errors.append(f"connection {number}: status {answer.status}, or other content")
                self.served[number] += 1
            connection.close()
        except (OSError, http.client.HTTPException) as problem:
            self.errors.append(f"connection {number}, after {self.served[number]}: {problem!r}")

    def stop(self):
        """All threads have ended, or are not worth waiting for."""
        self.stopping = True
        for thread in self.threads:
            thread.join(0 if self.errors else 60)


def both_go_on(board, load, what):
    """Each connection is served again, and rows are added."""
    before = list(load.served)
    board.read_to["sqlite"] = len(board.lines)
    number = int(board.expect("sqlite", r"^durable: (\d+)$", 120, whole=True)[1])
    for _ in range(1200):
        if load.errors or all(now > then + 1 for now, then in zip(load.served, before)):
            break
        board.drain(0.5)
    good = not load.errors and all(now > then + 1 for now, then in zip(load.served, before))
    tap.report(good, f"{what}: {sum(load.served)} answers on {CONNECTIONS} connections, row {number}")
    for error in load.errors[:5]:
        print(f"# {error}", flush=True)
    if not good:
        load.errors.append("given up")
        raise Failed(f"{what}: served {load.served}, before {before}\n" + board.tail("web"))


def revive(board):
    """What a tool stack does for a driver domain that was born again."""
    board.expect("back", "run driver: exit 0", 90)
    pvio.order(board, f"forget {BACK}")
    pvio.order(board, f"introduce {BACK}")
    pvio.connect(board, f"disk 0 {BACK} 0 fe:0", f"net 0 {BACK} 0")
    for device in (DISK + " ca:0", NET):
        pvio.order(board, f"again {device}")
    for device in (DISK, NET):
        pvio.order(board, f"wait {device}", 120)


def kill_and_revive(board, chance):
    """The driver domain dies at any moment."""
    board.drain(chance.uniform(0, 2))
    board.read_to["back"] = len(board.lines)
    pvio.destroy(board, "back")
    pvio.start(board, "back")
    revive(board)


def replug(board):
    """Both devices are taken away in an orderly way, and given again."""
    for device in (NET, DISK):
        pvio.order(board, f"unplug {device}", 120)
    pvio.connect(board, DISK + " ca:0", NET)


def check_rows(board):
    """The next life of the database finds every row that was announced."""
    rows = [int(n) for n in re.findall(r"^durable: (\d+)$", "\n".join(board.text_of("sqlite")), re.M)]
    pvio.destroy(board, "sqlite")
    pvio.order(board, f"forget {SQLITE}")
    board.read_to["sqlite"] = len(board.lines)
    pvio.start(board, "sqlite")
    pvio.order(board, f"{DISK} ca:0")
    pvio.order(board, f"introduce {SQLITE}")
    found = board.expect("sqlite", r"rows: (\d+), last (\d+), wrong (\d+)", 120, whole=True)
    clean = "integrity: ok" in "\n".join(board.text_of("sqlite"))
    tap.report(rows == list(range(1, len(rows) + 1)) and clean and found[3] == "0"
               and int(found[1]) == int(found[2]) >= rows[-1],
               f"sqlite's next life finds {found[1]} rows, intact; {rows[-1]} had been announced, none left out")


def play(given, disk):
    """The board and the story."""
    chance = random.Random(given.seed)
    images = [on_bulkhead.Image("web"), on_bulkhead.Image("sqlite")]
    images[0].extra += " env.WEB_IDLE=3600"  # a driver domain may need longer than a minute to be born again
    with on_bulkhead.Served("libos-back-kill", [on_bulkhead.ends(), back()] + images, disk) as board:
        board.expect("ctl", "run ends: exit 0", 60)
        board.expect("back", "run driver: exit 0", 60)
        pvio.order(board, f"introduce {BACK}")
        pvio.connect(board, f"disk 0 {BACK} 0 fe:0", f"net 0 {BACK} 0")
        for device, number in ((NET, WEB), (DISK + " ca:0", SQLITE)):
            pvio.order(board, device)
            pvio.order(board, f"introduce {number}")
        board.expect("web", "listening on", 120)
        board.expect("sqlite", r"rows: 0", 120)
        load = Load()
        try:
            both_go_on(board, load, "before anybody dies")
            for kill in range(1, given.kills + 1):
                kill_and_revive(board, chance)
                both_go_on(board, load, f"killed and back, {kill}")
            replug(board)
            both_go_on(board, load, "unplugged and plugged in again")
        finally:
            load.stop()
        said = "\n".join(board.text_of("web") + board.text_of("sqlite"))
        tap.report(all(f"{device}: connected again" in said for device in ("network", "disk")),
                   "the programs say that they are connected again")
        check_rows(board)
        trouble = [text for _, who, text in board.lines if who in ("web", "sqlite", None) and "CRASH" in text]
        tap.report(not trouble, "nobody crashed" + "".join(trouble[:1]))


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", help="of the moments")
    given = parser.parse_args()
    if "LIBOS_INSIDE" not in os.environ:
        for linux in (on_bulkhead.ends(), back()):
            linux.text()
    clients.own_network()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        disk.truncate(32 << 20)
        try:
            play(given, disk.name)
        except Failed as why:
            tap.report(False, "the board")
            print("".join(f"# {line}\n" for line in str(why).split("\n")))
    print(f"1..{len(tap.RESULTS)}")
    return 0 if tap.RESULTS and all(tap.RESULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
