#!/usr/bin/env python3
"""Para-virtual I/O between stock Debian domains, and what happens when either end dies.

  pvio.py [--kills N] [--seed N] [--list] [NAME...]

`ctl` runs Debian's xenstored and gives `back` disks; `back` serves `front`
a disk (one of those) and a network by Linux's own xen-blkback and
xen-netback. `witness` has a disk and a network of ctl's and must never
notice anything. Prints TAP; logs are in build/logs/pv-*.log.
"""
import argparse
import random
import re
import signal
import sys
import time

from board import SLOW, Board, Failed, Guest, Tap
import debian

STORE = ("xen-utils-4.17:xenstored", "xenstore-utils:xenstore-write", "xenstore-utils:xenstore-read",
         "xenstore-utils:xenstore-ls", "xenstore-utils:xenstore-list", "xenstore-utils:xenstore-rm",
         "xenstore-utils:xenstore-chmod")
PV = dict(uart=False, xen_enhanced="enabled")
# Domain numbers: the store's is 0, the others' their places in the tree.
BACK, FRONT, WITNESS = 2, 3, 4


def ctl(extra="", **keys):
    """The store's domain, a back end for all."""
    return Guest("ctl", run=("pv-ctl",), rights=["store"], memory=256, vcpus=2, programs=STORE,
                 modules=("xen-evtchn", "xen-gntdev", "xen-privcmd", "xenfs", "loop", "xen-blkback",
                          "xen-netback"), extra="quiet " + extra, xen_enhanced="enabled", **keys)


def back(extra="", programs=(), run=("pv-back",), **keys):
    """A back end without any right."""
    return Guest("back", run=run, memory=192, vcpus=2, programs=programs,
                 modules=("xen-blkfront", "xen-blkback", "xen-netback"),
                 extra="console=hvc0 quiet " + extra, **PV, **keys)


def front(name, number, run, extra="", programs=("iputils-ping:ping",), memory=160, vcpus=2,
          **keys):
    """A front end; its network is 10.NUMBER.0.0/24."""
    return Guest(name, run=run, memory=memory, vcpus=vcpus, programs=programs,
                 modules=("xen-blkfront", "xen-netfront"),
                 extra=f"console=hvc0 quiet bulkhead.address=10.{number}.0 {extra}", **PV, **keys)


def order(board, words, seconds=60):
    """Type a `pv` command in the store's domain and wait for its word."""
    board.send("ctl", f"pv {words}\n")
    verb = words.split()[0]
    done = {"introduce": "introduced", "wait": "connected", "unplug": "unplugged",
            "forget": "forgot", "again": "again", "show": "shown"}.get(verb)
    if done:
        match = board.expect("ctl", rf"^pv: ({done} {words[len(verb) + 1:]}|.* cannot |.* is not |.* stays)",
                             seconds)
        if not match[1].startswith(done):
            raise Failed(f"pv {words}: {match.string}\n" + board.tail("ctl", 40))


def born(board, name, number, seconds=60):
    """A domain has reached user space: the store may know it."""
    board.expect(name, f"{name}: Debian's Linux", seconds)
    order(board, f"introduce {number}")


def connect(board, *devices):
    """Plug devices in, `kind back front number [MAJOR:MINOR]`, and wait for all."""
    for device in devices:
        order(board, device)
    for device in devices:
        order(board, "wait " + " ".join(device.split()[:4]), 120)


def no_trouble(board):
    """Nobody complained."""
    trouble = board.trouble()
    if trouble:
        raise Failed(f"somebody complained: {trouble}")


def io(options, events):
    """Disk and network at work, replugged meanwhile, and again."""
    words = "xen.fifo_events=0 bulkhead.events=two-level" if events == "two-level" else ""
    # Grants that stay mapped in the one case, mapped and unmapped for each request in the other.
    persistent = int(events != "two-level")
    serve = f"xen_blkback.max_ring_page_order=2 xen_blkback.feature_persistent={persistent}"
    some = [ctl(words), back(f"{words} {serve}", run=("pv-back", "pv-serve"),
                             programs=("iperf3:iperf3",)),
            front("front", FRONT, ("pv-io",), memory=448,
                  extra=f"{words} xen_blkfront.max_ring_page_order=2 "
                        f"xen_blkfront.feature_persistent={persistent}",
                  programs=("iputils-ping:ping", "fio:fio", "iperf3:iperf3", "ethtool:ethtool"))]
    with Board(f"pv-io-{events}", some, hypervisor=options.hypervisor) as board:
        board.expect("ctl", "run pv-ctl: exit 0", 60)
        born(board, "back", BACK)
        connect(board, f"disk 0 {BACK} 0 7:0")
        born(board, "front", FRONT)
        connect(board, f"disk {BACK} {FRONT} 0 ca:0", f"net {BACK} {FRONT} 0")
        order(board, f"show disk {BACK} {FRONT} 0")
        order(board, f"show net {BACK} {FRONT} 0")
        agreed = set(board.text_of("ctl"))
        wanted = {f'{end}/feature-persistent = "{persistent}"' for end in ("front", "back")} | {
            'front/ring-page-order = "2"', 'front/multi-queue-num-queues = "2"',
            'back/feature-max-indirect-segments = "256"', 'back/feature-split-event-channels = "1"'}
        if wanted - agreed:
            raise Failed(f"not agreed on: {sorted(wanted - agreed)}")
        # The guest has no real-time clock: its date comes from the shared page.
        late = time.time() - int(board.expect("front", r"pv-io: date (\d+)", 60)[1])
        if abs(late) > 60:
            raise Failed(f"the guest's date is {late:.0f} s behind ours")
        match = board.expect("front", r"pv-io: (\d+) transmit queues, (\d+) disk queues", 60)
        if match[1] != "2" or match[2] != "2":
            raise Failed(f"not two queues each: {match[0]}")
        # Devices come and go while the others are at work.
        for _ in range(2):
            connect(board, f"disk 0 {FRONT} 1 7:1", f"net {BACK} {FRONT} 1")
            order(board, f"unplug disk 0 {FRONT} 1")
            order(board, f"unplug net {BACK} {FRONT} 1")
        board.expect("front", r"pv-io: fio verified", 240)
        board.expect("front", r"run pv-io: exit 0", 20)
        no_trouble(board)
        return f"{board.elapsed():.0f} s"


def speed(options):
    """A network both ways, by a clock that counts instructions: what is slow then is not the emulator."""
    some = [ctl(), back(run=("pv-back", "pv-serve"), programs=("iperf3:iperf3",)),
            front("front", FRONT, ("pv-speed",), programs=("iputils-ping:ping", "iperf3:iperf3"))]
    rate = {}
    with Board("pv-speed", some, hypervisor=options.hypervisor, icount=True) as board:
        board.expect("ctl", "run pv-ctl: exit 0", 120)
        for name, number in (("back", BACK), ("front", FRONT)):
            born(board, name, number, 120)
        connect(board, f"net {BACK} {FRONT} 0")
        for way in ("to back", "from back"):
            match = board.expect("front", rf"pv-speed: {way}: (\d+) Mbit/s", 240, whole=True)
            rate[way] = int(match[1])
        no_trouble(board)
    if rate["to back"] < rate["from back"]:
        raise Failed(f"Mbit/s: {rate}; the way to the back end has one copy less and is to be the faster one")
    return ", ".join(f"{way} {bits} Mbit/s" for way, bits in rate.items())


# --- Kills -----------------------------------------------------------------

class Numbers:
    """What the hypervisor counts: its console's `memory` and `links`."""

    def __init__(self, board):
        board.send(None, "memory\n")
        found = board.expect(None, r"(\d+) free, (\d+) the domains", 30)
        self.free, self.owned = int(found[1]), int(found[2])
        found = board.expect(None, r"(\d+) the hypervisor's, and", 30)
        self.hyp = int(found[1])
        self.has, self.spent, self.links = {}, {}, {}
        names = "|".join(guest.name for guest in board.guests)
        while "witness" not in self.has:
            found = board.expect(None, rf"^ +(\d+) +\d+ +(\d+) +\d+ +\d+  ({names})$", 30,
                                 whole=True)
            self.has[found[3]], self.spent[found[3]] = int(found[1]), int(found[2])
        board.send(None, "links\n")
        board.expect(None, "CHANNELS  TO OTHERS", 30)
        while "witness" not in self.links:
            found = board.expect(None, rf"^ +(\d+) +(\d+) +(\d+) +(\d+)  ({names})$", 30,
                                 whole=True)
            self.links[found[5]] = tuple(int(found[i]) for i in range(1, 5))

    def ownerless(self):
        """KiB of domains and of the hypervisor that no living domain explains."""
        return self.owned - sum(self.has.values()), self.hyp - sum(self.spent.values())

    def __str__(self):
        return (f"free {self.free} KiB, domains' {self.owned}, the hypervisor's {self.hyp}, nobody's "
                f"{self.ownerless()}, spent {self.spent}, links {self.links}")


def ordered(board, command, name, done):
    """An order on the hypervisor's console; refused while the domain is being built."""
    for _ in range(100):
        board.send(None, f"{command} {name}\n")
        if "Not possible" not in board.expect(None, f"{name} {done}|Not possible: {name}", 60)[0]:
            return
        board.drain(0.2)
    raise Failed(f"{command} {name}: refused a hundred times")


def destroy(board, *names):
    """End domains; others may still hold what they granted."""
    for name in names:
        ordered(board, "destroy", name, "is gone")


def start(board, *names):
    """Start domains that were destroyed."""
    for name in names:
        board.send(None, f"start {name}\n")
        board.expect(None, f"{name} starts", 30)


def quiet_numbers(board, like=None):
    """What there is while both ends are gone and forgotten. Linux in ctl lets go when it gets to it."""
    for _ in range(20):
        numbers = Numbers(board)
        if like is None or numbers.links == like.links:
            break
        board.drain(1)
    print(f"# {numbers}", flush=True)
    return numbers


def kill(board, rng, name):
    """One of the ways in which a domain ends; it is started again."""
    how = rng.choice(("destroy", "reboot", "panic"))
    if how == "panic":
        board.send(name, "\necho c >/proc/sysrq-trigger\n")
        # It has the screen: what the hypervisor says of it counts as its own.
        board.expect(name, f"{name} (asked to reboot|crashed)", 60)
        return how
    if how == "destroy":
        destroy(board, name)
        start(board, name)
    else:
        ordered(board, "reboot", name, "is being started again")
    return how


def revive(board, names):
    """What a tool stack does once the killed are up: the store learns of them, devices are plugged."""
    for name in names:
        board.expect(name, f"{name}: Debian's Linux", 90)
    if "front" in names:
        order(board, f"forget {FRONT}")
    if "back" in names:
        order(board, f"forget {BACK}")
        order(board, f"introduce {BACK}")
        connect(board, f"disk 0 {BACK} 0 7:0")
        if "front" not in names:
            order(board, f"again disk {BACK} {FRONT} 0 ca:0")
            order(board, f"again net {BACK} {FRONT} 0")
            order(board, f"wait disk {BACK} {FRONT} 0", 120)
            order(board, f"wait net {BACK} {FRONT} 0", 120)
    if "front" in names:
        order(board, f"introduce {FRONT}")
        connect(board, f"disk {BACK} {FRONT} 0 ca:0", f"net {BACK} {FRONT} 0")


def forget_old_words(board):
    """What was printed so far is not looked at any more."""
    for name in [None] + [guest.name for guest in board.guests]:
        board.read_to[name] = len(board.lines)


def one_round(board, rng):
    """Somebody dies under load, at times both, at times again while coming back; all goes on."""
    forget_old_words(board)
    names = rng.choice((["front"], ["back"], ["front"], ["back"], ["front", "back"]))
    board.drain(rng.uniform(0, 2))
    said = [f"{name} {kill(board, rng, name)}" for name in names]
    if rng.random() < 0.25:
        board.drain(rng.uniform(0, 6))
        again = rng.choice(names)
        board.send(None, f"reboot {again}\n")
        while not board.expect(None, f"{again} is being started again|Not possible", 30)[0].endswith("again"):
            board.drain(0.2) # between two lives
            board.send(None, f"reboot {again}\n")
        said.append(f"{again} reboot")
        board.read_to[again] = len(board.lines)
    revive(board, names)
    for name in ("front", "witness"):
        board.read_to[name] = len(board.lines)
    for name in ("front", "witness"):
        board.expect(name, r"load: pass \d+", 60)
    return said


def kills(options):
    """Either end dies again and again: nothing leaks, nobody else notices."""
    rng = random.Random(options.seed)
    again = dict(on_crash="restart")
    # Who plugs things together again is not to wait for those who make load.
    some = [ctl(cpu_weight=1024), back("panic=-1", cpu_weight=1024, **again),
            front("front", FRONT, ("pv-load",), "panic=-1", **again),
            front("witness", WITNESS, ("pv-load",), vcpus=1)]
    done = 0
    with Board(f"pv-kills-{options.kills}", some, hypervisor=options.hypervisor) as board:
        board.expect(None, "has keyboard", 30)
        destroy(board, "back", "front")
        board.expect("ctl", "run pv-ctl: exit 0", 60)
        born(board, "witness", WITNESS, 90)
        connect(board, f"disk 0 {WITNESS} 0 7:2", f"net 0 {WITNESS} 0")
        board.expect("witness", r"load: pass 2", 60)
        board.send("witness", "\ndmesg -c >/dev/null; echo no news\n")
        board.expect("witness", "no news", 30)
        first = quiet_numbers(board)
        start(board, "back", "front")
        revive(board, ["front", "back"])
        board.expect("front", r"load: pass 2", 60)
        while done < options.kills:
            said = one_round(board, rng)
            done += len(said)
            print(f"# {board.elapsed():.0f} s: {done} kills ({', '.join(said)})", flush=True)
        destroy(board, "front", "back")
        order(board, f"forget {FRONT}")
        order(board, f"forget {BACK}")
        last = quiet_numbers(board, first)
        done += 2
        if last.links != first.links or last.ownerless() != first.ownerless() or \
                any(last.spent[name] > first.spent[name] + 32 for name in last.spent):
            raise Failed(f"something leaked: first {first}\nlast {last}")
        # How long a timer interrupt took is the emulator's and its host's affair.
        board.send("witness", "\ndmesg | grep -v 'hrtimer: interrupt took' | sed 's/^/news: /'; echo end of news\n")
        board.expect("witness", "^end of news", 30)
        news = [text for text in board.text_of("witness") if text.startswith("news: ")]
        wrong = [text for name in ("front", "witness") for text in board.text_of(name)
                 if text.startswith("load: wrong")]
        if wrong or news:
            raise Failed("\n".join(wrong + news))
        no_trouble_but_panics(board)
    return f"{done} kills"


def no_trouble_but_panics(board):
    """Nobody complained but those who were told to panic."""
    board.lines = [line for line in board.lines
                   if not (line[1] in ("front", "back") and "sysrq triggered crash" in line[2])]
    for _, who, text in board.lines:
        if re.search(r"check failed|were not given back|cannot be built", text):
            raise Failed(f"the hypervisor complained: {text}")


def console(options):
    """A PV console beside a serial one: focus, long lines, floods, and a guest that does not read."""
    some = [Guest("home"), Guest("work", extra="console=hvc0 quiet", **PV)]
    with Board("pv-console", some, hypervisor=options.hypervisor) as board:
        for guest in some:
            board.expect(guest.name, f"{guest.name}: Debian's Linux", 60)
        # Each hears what is typed at it and nothing else.
        for name in ("work", "home", "work"):
            board.send(name, "\necho it is $(hostname) $((6 * 7))\n")
            board.expect(name, rf"it is {name} 42", 20)
        # A line longer than ring, queue and history: whole with the screen, at least marked without.
        board.send("work", "head -c 12000 /dev/zero | tr '\\0' x; echo long $((40 + 3))\n")
        match = board.expect("work", "(x+)long 43", 30)
        if len(match[1]) != 12000:
            raise Failed(f"12000 characters in one line came as {len(match[1])}")
        # A flood from the background does not keep others from their keyboard.
        board.send("work", "yes flood >/dev/hvc0 &\n")
        board.send("home", "\necho still $((40 + 4))\n")
        board.expect("home", "^still 44", 60)
        board.expect("work", "flood", 20)
        board.send("work", "kill %1; wait; echo calm $((40 + 5))\n")
        board.expect("work", "calm 45", 60)
        # Who does not read loses no more than its own keys: Ctrl-T goes on working. The sleep is the
        # story, not a wait for something: nobody reads for so long.
        board.send("work", "stty -echo -icanon; sleep 20; stty echo icanon; echo awake $((40 + 6))\n")
        board.send("work", "z" * 9000)
        board.send("home", "echo there $((40 + 7))\n")
        board.expect("home", "^there 47", 30)
        board.expect("work", "awake 46", 60)
        heard = [text for text in board.text_of("home") if "zzz" in text or "it is work 42" in text]
        if heard:
            raise Failed(f"home heard {heard}")
        no_trouble(board)
        return f"{board.elapsed():.0f} s"


def kernels(options):
    """Every kernel of Debian 12 and its backports as a front end, and the 32-bit one."""
    some = [ctl("bulkhead.disks=8")]
    for kind in debian.KERNELS:
        number = len(some) + 1
        some.append(Guest(f"g{number}", kernel=kind, run=("pv-load",), vcpus=1, memory=176,
                          programs=("iputils-ping:ping",), modules=("xen-blkfront", "xen-netfront"),
                          extra=f"console=hvc0 quiet bulkhead.address=10.{number}.0", **PV))
    with Board("pv-kernels", some, hypervisor=options.hypervisor) as board:
        board.expect("ctl", "run pv-ctl: exit 0", 90)
        for number, guest in list(enumerate(some, 1))[1:]:
            born(board, guest.name, number, 120)
            connect(board, f"disk 0 {number} 0 7:{number}", f"net 0 {number} 0")
        for guest in some[1:]:
            board.expect(guest.name, r"load: pass 3", 120)
        wrong = [text for guest in some for text in board.text_of(guest.name) if "load: wrong" in text]
        if wrong:
            raise Failed("\n".join(wrong))
        no_trouble(board)
        return ", ".join(guest.kernel for guest in some[1:])


CASES = {
    "kernels": kernels,
    "console": console,
    "kills": kills,
    "speed": speed,
    "io-fifo": lambda options: io(options, "fifo"),
    "io-two-level": lambda options: io(options, "two-level"),
}


def main():
    """Run the cases asked for."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=6, help="how often an end dies (default 6)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments when")
    parser.add_argument("--hypervisor", metavar="FILE", default=None)
    parser.add_argument("--list", action="store_true", help="names of the cases")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = options.names or list(CASES)
    if options.list:
        print("\n".join(CASES))
        return 0
    tap = Tap(len(names))
    for name in names:
        began = time.monotonic()
        try:
            note = CASES[name](options)
            tap.result(f"pvio: {name}", note=note or f"{time.monotonic() - began:.0f} s")
        except (Failed, debian.Failure) as why:
            tap.result(f"pvio: {name}", wrong=str(why))
    print(f"# time-outs stretched {SLOW:g} times; logs in build/logs")
    return 1 if tap.failures else 0


if __name__ == "__main__":
    sys.exit(main())
