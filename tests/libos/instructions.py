#!/usr/bin/env python3
"""Instructions of a guest: until a unikernel listens and answers, and for each request of a server.

  instructions.py [--requests N] [NAME...]    web, lighttpd, debian (lighttpd in a Debian guest)
  instructions.py --profile NAME              and which functions a unikernel's instructions are in

One Debian Linux with the store and xen-netback, one subject beside it on Bulkhead, one emulated CPU
under bench/plugin/share.c. A guest's instructions are those fetched from its memory; the hypervisor's
on its behalf are shown beside. The Linux is mapped directly, so its /proc/iomem says what is not the
subject's. Exit 1 if a budget is broken.
"""
import argparse
import bisect
import collections
import http.client
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/libos"), os.path.join(ROOT, "tests/system"),
                os.path.join(ROOT, "tools")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import clients
import initramfs
import on_bulkhead
import pvio
import tap
from board import Guest

PLUGIN = os.path.join(ROOT, "build/host/share.so")
MIB, MIB_COUNT, MARKS, RAM_BASE = 1 << 20, 8192, 8, 0x40000000
LOAD_ADDRESS = RAM_BASE + 2 * MIB  # of the hypervisor, by QEMU
EVENTS = ("net_say_listening", "net_say_answered")
# What must hold of `web`, in the guest's own instructions.
BUDGETS = {"listening": 50000, "first answer": 100000}
FACTOR = 3.0  # requests per million instructions, beside the same server in a Debian guest
CONNECTIONS = 8
FILES = ("index.html", "words.txt")
ASKED = 100  # the first profile that is asked for


class Unikernel(on_bulkhead.Image):
    """The web server in 1 MiB, which is what is promised of it."""

    def text(self):
        """As a user would write it."""
        return re.sub(r"memory = \d+", "memory = 1", super().text()) if self.name == "web" else super().text()


class Debian(Guest):
    """A Debian guest that runs lighttpd."""

    def __init__(self):
        files = os.path.join(ROOT, "apps/web/files")
        super().__init__("debian", run=("lighttpd",), memory=160, modules=("xen-netfront",), uart=False,
                         extra="console=hvc0 quiet", xen_enhanced="enabled",
                         files=(f"{ROOT}/tests/libos/guest/lighttpd=/tests/lighttpd",
                                f"{ROOT}/apps/lighttpd/root/etc/lighttpd.conf=/etc/lighttpd.conf",
                                f"{files}=/srv"))

    def ramdisk(self):
        """The package whole: its modules are files of their own."""
        words = ["--whole", "lighttpd", "--kernel", "arm64"]
        for kind, names in (("--file", self.files), ("--module", self.modules)):
            words += [word for name in names for word in (kind, name)]
        return initramfs.make(initramfs.parser().parse_args(words))


class Counters:
    """What the plugin has counted until now."""

    def __init__(self, path):
        self.path = path

    def read(self):
        """(marks, counts per MiB), each a list of (own, hypervisor's)."""
        with open(self.path, "rb") as file:
            words = struct.unpack(f"<{2 * (MARKS + MIB_COUNT)}Q", file.read(16 * (MARKS + MIB_COUNT)))
        pairs = list(zip(words[::2], words[1::2]))
        return pairs[:MARKS], pairs[MARKS:]

    def profile(self, number):
        """Have the plugin write profile `number`, at the next block that a guest executes."""
        with open(self.path, "r+b", buffering=0) as file:
            place = 16 * (MARKS + MIB_COUNT)
            file.seek(place)
            file.write(struct.pack("<Q", number))
            while file.seek(place) and struct.unpack("<Q", file.read(8))[0]:
                time.sleep(0.01)


def own_mibs(board):
    """The MiB of machine memory that are not the direct-mapped Linux's."""
    board.send("ctl", "grep 'System RAM' /proc/iomem; echo that was all\n")
    board.expect("ctl", r"^that was all", 60)
    taken = set()
    for low, high in re.findall(r"^([0-9a-f]{8,})-([0-9a-f]{8,}) : System RAM",
                                "\n".join(board.text_of("ctl")), re.M):
        taken |= set(range((int(low, 16) - RAM_BASE) // MIB, (int(high, 16) - RAM_BASE) // MIB + 1))
    assert taken, "the Linux does not say where its memory is"
    return [mib for mib in range(MIB_COUNT - 1) if mib not in taken]


def total(counts, mibs):
    """Own and the hypervisor's instructions in these MiB."""
    return sum(counts[m][0] for m in mibs), sum(counts[m][1] for m in mibs)


def get_many(address, file, count, wanted, errors):
    """Keep-alive GETs, each compared."""
    try:
        connection = http.client.HTTPConnection(address, 80, timeout=300)
        for _ in range(count):
            connection.request("GET", "/" + file)
            answer = connection.getresponse()
            if answer.status != 200 or answer.read() != wanted:
                errors.append(f"status {answer.status}, or other content")
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        errors.append(repr(error))


def load(address, file, requests, connections=CONNECTIONS):
    """All connections at once; errors."""
    with open(os.path.join(tap.FILES, file), "rb") as source:
        wanted = source.read()
    errors = []
    threads = [threading.Thread(target=get_many, args=(address, file, requests // connections, wanted, errors))
               for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def symbols(name):
    """[(where it is in an image, function)], in order; names may come twice."""
    listed = subprocess.run(["aarch64-linux-gnu-nm", f"{ROOT}/build/arm64/apps/{name}/{name}.elf"],
                            check=True, stdout=subprocess.PIPE, text=True).stdout
    return sorted((int(word[0], 16), word[2]) for word in map(str.split, listed.split("\n"))
                  if len(word) == 3 and word[1] in "tT" and not word[2].startswith("$"))


def offsets(name):
    """Where an image's events are."""
    found = {function: at for at, function in symbols(name)}
    return [found[event] for event in EVENTS]


def read_profile(name, path):
    """{function: instructions}; the file is used up."""
    places = symbols(name)
    found = collections.Counter()
    with open(path, encoding="ascii") as file:
        for at, count in (line.split() for line in file):
            found[places[max(bisect.bisect_right(places, (int(at, 16), "~")) - 1, 0)][1]] += int(count)
    os.unlink(path)
    return found


def show_profile(name, prefix, requests):
    """Each function's instructions until each mark and for each request, the largest first."""
    until = [read_profile(name, f"{prefix}.{mark}") for mark in range(len(BUDGETS))]
    asked = [read_profile(name, f"{prefix}.{ASKED + i}") for i in range(2 * len(FILES))]
    each = [collections.Counter({what: (after[what] - before[what]) / requests for what in after})
            for before, after in zip(asked[::2], asked[1::2])]
    print(f"{name}: until " + ", until ".join(BUDGETS) + ", each " + ", each ".join(FILES))
    most = sum((collections.Counter(dict(c.most_common(50))) for c in until + each), collections.Counter())
    for function in ["all"] + sorted(most, key=most.get, reverse=True):
        print("".join(f"{sum(c.values()) if function == 'all' else c[function]:9.0f}" for c in until + each)
              + f"  {function}")


def measure(name, requests, profile=False):
    """{what: (own, hypervisor's)} of one subject; requests as instructions for each."""
    unikernel = name != "debian"
    profile = profile and unikernel
    address = clients.address_of(name if unikernel else "lighttpd")
    subject = Unikernel(name) if unikernel else Debian()
    with open(os.path.join(ROOT, "build/arm64/bulkhead"), "rb") as file:
        size = struct.unpack("<Q", file.read(24)[16:])[0]  # of arm64 Linux's header: in memory
    el2 = f"{LOAD_ADDRESS:#x}-{LOAD_ADDRESS + size:#x}"
    figures = {}
    with tempfile.NamedTemporaryFile() as disk, tempfile.NamedTemporaryFile() as counted:
        disk.truncate(1 << 20)
        board = on_bulkhead.Served(f"libos-instructions-{name}", [on_bulkhead.ends(), subject], disk.name)
        board.options[1] = "1"  # CPUs
        board.more += ["-plugin", f"{PLUGIN},el2={el2},out={counted.name}"
                       + (f",profile={counted.name}" if profile else "")
                       + "".join(f",mark={at:#x}" for at in (offsets(name) if unikernel else []))]
        counters = Counters(counted.name)
        with board:
            board.expect("ctl", "run ends: exit 0", 60)
            if not unikernel:
                board.expect("debian", "debian: Debian's Linux|run lighttpd", 120)
            on_bulkhead.plug(board, name, 2)
            board.expect(subject.name, "listening on", 120)
            mibs = own_mibs(board)
            errors = load(address, "index.html", 1, 1)
            for number, file in enumerate(FILES):
                errors += load(address, file, 10 * CONNECTIONS)  # what is done once is done now
                if profile:
                    counters.profile(ASKED + 2 * number)
                before = total(counters.read()[1], mibs)
                errors += load(address, file, requests)
                after = total(counters.read()[1], mibs)
                if profile:
                    counters.profile(ASKED + 2 * number + 1)
                assert not errors, errors[:5]
                figures[file] = tuple((b - a) / requests for a, b in zip(before, after))
            marks = counters.read()[0]
            figures.update({what: marks[i] for i, what in enumerate(BUDGETS) if unikernel})
        if profile:
            show_profile(name, counted.name, requests)
    return figures


def report(subjects):
    """The table; 0 if every budget holds."""
    bad = 0
    print(f"{'':32} {'own':>9} {'budget':>9} {'hypervisor':>10}")
    for name, figures in subjects.items():
        for what, budget in BUDGETS.items():
            if what in figures:
                own, other = figures[what]
                over = name == "web" and not 0 < own <= budget  # the others have no promise
                bad += over
                print(f"{name + ': until ' + what:32} {own:9} {budget if name == 'web' else '-':>9} "
                      f"{other:10}{'  OVER BUDGET' if over else ''}")
    print(f"\n{'requests per million own instructions':42} {'own':>9} {'hypervisor':>10}")
    for name, figures in subjects.items():
        for file in FILES:
            own, other = figures[file]
            beside = subjects.get("debian", {}).get(file)
            factor = f"  {beside[0] / own:.2f} times Debian's" if beside and name != "debian" else ""
            if factor and name == "lighttpd" and beside[0] / own < FACTOR:
                factor += f", wanted {FACTOR:.0f}"
            print(f"{name + ', ' + file:30} {1e6 / own:11.1f} {own:9.0f} {other:10.0f}{factor}")
    return 1 if bad else 0


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--requests", type=int, default=800, help="of each file, to each server")
    parser.add_argument("--profile", action="store_true", help="of a unikernel, by functions")
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args()
    names = given.names or [n for n in ("web", "lighttpd", "debian")
                            if n == "debian" or os.path.exists(f"{ROOT}/build/arm64/apps/{n}/{n}")]
    if "LIBOS_INSIDE" not in os.environ:
        for linux in (on_bulkhead.ends(), Debian()):  # what is missing in the cache comes while there is a network
            linux.text()
    clients.own_network()
    return report({name: measure(name, given.requests, given.profile) for name in names})


if __name__ == "__main__":
    sys.exit(main())
