#!/usr/bin/env python3
"""Every command of the hypervisor's console, and every policy, by a program that types.

  console.py [--hypervisor FILE] [--gic 2|3]

A stock Debian guest and seven small ones (tests/guest/mortal.c), each with a policy
of its own, end in all ways there are; the console has to say what became of them,
and nobody else may notice. Prints TAP.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from board import OURS, TOP, Board, Failed, Guest, Tap, literal  # noqa: E402

MARK = "00005eed5eed5eed"  # in x20 when mortal.c crashes
# name: its policies
MORTALS = {"anne": {}, "bert": {"on_crash": "restart"}, "cleo": {"on_crash": "preserve"},
           "dora": {"on_reboot": "destroy"}, "emil": {"on_reboot": "preserve"},
           "fred": {"on_poweroff": "restart"}, "gwen": {"on_poweroff": "preserve"}}


class Mortal(Guest):
    """A guest made of tests/guest/mortal.c."""

    def text(self):
        """The domain file: no ramdisk, no command line."""
        keys = {"name": self.name, "memory": 16, "vcpus": 1, "vuart": "sbsa_uart",
                "kernel": os.path.join(TOP, "build/arm64/tests/guest/mortal"), **self.keys}
        return "".join(f"{key} = {literal(value)}\n" for key, value in keys.items())


class Story:
    """The board, and one test after the other on it."""

    def __init__(self, board):
        self.board = board

    def ask(self, command, *patterns):
        """Type a command; each pattern must be answered, in order."""
        board = self.board
        board.send(None, "")
        board.expect(None, r"bulkhead> (\x1b\[K)?$", 20)  # the answer before is complete
        board.read_to[None] = len(board.lines)
        board.send(None, command + "\r")
        return [board.expect(None, pattern, 20, whole=True) for pattern in patterns]

    def order(self, command, done):
        """The same for an order, which is refused while an earlier one is still carried out."""
        for _ in range(50):
            answer, = self.ask(command, rf"^(?:({done})|Not possible)")
            if answer[1]:
                return
            self.board.drain(0.2)
        raise Failed(f"{command} is refused\n{self.board.tail(None)}")

    def state(self, name):
        """What `list` says of a domain."""
        match, = self.ask("list", rf"^ *(?:\d+|-)  {name} +(\w+(?: off)?)")
        return match[1]

    def wait_state(self, name, wanted):
        """Until it is so; each question is an event of its own."""
        for _ in range(50):
            state = self.state(name)
            if state == wanted:
                return
            self.board.drain(0.2)
        raise Failed(f"{name} is {state}, not {wanted}\n{self.board.tail(None)}")

    def press(self, name, key):
        """One key for a mortal."""
        self.board.send(name, key)

    def die(self, name, key):
        """One key that is its last. The keyboard goes elsewhere by itself then: nobody may press Ctrl-T before."""
        self.press(name, key)
        for _ in range(150):
            if self.board.marks.focused != name:
                return
            self.board.drain(0.2)
        raise Failed(f"the keyboard stays with {name}\n{self.board.tail(name)}")

    def lives(self, name):
        """Wait for its next life."""
        self.board.expect(name, r"mortal: lives", 30, whole=True)

    def alive(self, name):
        """It answers."""
        self.board.read_to[name] = len(self.board.lines)
        self.press(name, "a")
        self.board.expect(name, r"mortal: is alive", 30)

    # --- the tests; the order matters: each leaves the state that the next one needs

    def starts(self):
        """all start, and list says so"""
        self.board.expect("home", "home: Debian's Linux", 60)
        for name in MORTALS:
            self.lives(name)
            self.alive(name)
        for name in ["home"] + list(MORTALS):
            self.wait_state(name, "running")

    def describes(self):
        """version, uptime, help, cpus, vcpus, memory, irqs, rights, log"""
        self.ask("version", r"^Bulkhead .* 2 CPUs, GICv\d; Xen 4\.17")
        self.ask("uptime", r"^Up 0 days, 0:\d\d:\d\d")
        self.ask("help", r"^  list", r"^  pause NAME", r"^  help", r"Ctrl-T moves keyboard")
        self.ask("cpus", r"^CPU  MPIDR", r"^  0  0 ", r"^  1  1 ")
        self.ask("vcpus home", r"^vCPU  STATE", r"^   0  \w+ +[01] +\d+ +\d+  share, weight 256, cap 0",
                 r"^   1  \w+ ")
        self.ask("memory", r"^\d+ KiB of memory; \d+ free", r"^\d+ the hypervisor's",
                 r"^ +196608 +196608 +\d+ +\d+ +\d+  home", r"^ +16384 +16384 +\d+ +\d+ +\d+  gwen")
        self.ask("irqs", r"^INTID  OWNER", r"^ +33  the hypervisor", r"^All others are nobody's")
        self.ask("rights", r"^  home +inspect \*;", r"^  anne +none: its own memory")
        self.ask("log", r"Bulkhead \d", r"Interrupt controller", r"CPUs run")

    def explains(self):
        """mistakes are answered with what to do"""
        self.ask("frobnicate", r"There is no command \"frobnicate\"; help lists them")
        self.ask("pause nobody", r"There is no domain \"nobody\"; list shows them")
        self.ask("pause", r"Usage: pause NAME")
        self.ask("re", r"\"re\" may be .* or .*: type more of it")
        self.ask("poweroff", r"ends all domains at once")
        self.ask("start home", r"home exists already: reboot starts it again")
        self.ask("crash", r"^No domain has crashed")
        self.ask("unpause home", r"Not possible")
        self.ask("weight home 0", r"Usage: weight NAME N")

    def top(self):
        """top shows who uses the CPUs, live, until a key"""
        self.board.send("home", "while :; do :; done & echo busy $((6 * 7))\n")
        self.board.expect("home", "busy 42", 30)
        self.board.send(None, "top\r")
        for _ in range(2):
            self.board.expect(None, r"\d+ s up, \d+ of \d+ MiB free. Any key ends this", 20)
            self.board.expect(None, r"^CPUs, % busy: ", 20)
            share = self.board.expect(None, r"^ +([\d.]+)    1  home +running", 20)
        if float(share[1]) < 60:
            raise Failed(f"a guest that computes has {share[1]} % of a CPU")
        self.board.send(None, "q")
        self.board.send("home", "kill $!; echo done $((6 * 7))\n")
        self.board.expect("home", "done 42", 30)

    def pauses(self):
        """pause stops one guest, dump shows its registers, unpause lets it go on"""
        self.ask("pause home", r"^home is paused")
        self.ask("dump home", r"vCPU 0  pc [0-9a-f]{16}  pstate", r"x30 ", r"vCPU 1  pc ") # at once: still in a CPU
        self.ask("unpause home", r"^home goes on")
        self.ask("pause anne", r"^anne is paused")
        self.wait_state("anne", "paused")
        self.ask("pause anne", r"^Not possible")
        self.ask("dump anne", r"vCPU 0  pc [0-9a-f]{16}  pstate", r"x30 [0-9a-f]{16}")
        self.board.read_to["anne"] = len(self.board.lines)
        self.press("anne", "a")
        self.board.drain(1)
        if any("alive" in text for text in self.board.text_of("anne")[-1:]):
            raise Failed("a paused guest spoke")
        self.alive("bert")
        self.ask("unpause anne", r"^anne goes on")
        self.board.expect("anne", r"mortal: is alive", 30)

    def destroys(self):
        """destroy frees a guest, start brings it back, reboot restarts it"""
        self.order("destroy anne", "anne is being destroyed")
        self.board.expect(None, r"anne is gone", 30)
        self.wait_state("anne", "gone")
        self.ask("start anne", r"^anne starts")
        self.lives("anne")
        self.order("reboot anne", "anne is being started again")
        self.lives("anne")
        self.ask("list", r"anne +running +1 +16 .* 1$")
        self.ask("start nobody", r"No domain \"nobody\" is configured")

    def crash_policies(self):
        """a crash: destroy, restart, preserve, each with the registers kept"""
        self.die("anne", "c")
        self.press("bert", "c")
        self.press("cleo", "c")
        self.wait_state("anne", "gone")
        self.lives("bert")
        self.wait_state("bert", "running")
        self.wait_state("cleo", "crashed")
        for name in ("anne", "bert", "cleo"):
            self.ask(f"crash {name}", rf"^{name} crashed, \d+\.\d+ s after power-on",
                     r"vCPU 0  pc 00000000400", rf"x20 {MARK}")
        self.ask("dump cleo", r"vCPU 0  pc 00000000400", rf"x20 {MARK}")
        self.order("reboot cleo", "cleo is being started again")
        self.lives("cleo")
        self.ask("crash cleo", rf"x20 {MARK}")

    def watchdog(self):
        """a watchdog that is not fed counts as a crash"""
        self.press("bert", "w")
        self.board.expect("bert", "does not feed", 20)
        self.lives("bert")
        self.ask("crash bert", r"^bert missed its watchdog, ")

    def reboot_policies(self):
        """a reboot: restart, destroy, preserve; an order to reboot is obeyed in any case"""
        self.press("bert", "r")
        self.lives("bert")
        self.order("reboot dora", "dora is being started again")
        self.lives("dora")
        self.order("reboot emil", "emil is being started again")
        self.lives("emil")
        self.die("dora", "r")
        self.press("emil", "r")
        self.wait_state("dora", "gone")
        self.wait_state("emil", "rebooting")
        self.order("reboot emil", "emil is being started again")
        self.lives("emil")

    def poweroff_policies(self):
        """a power-off: restart, preserve, destroy"""
        self.press("fred", "o")
        self.lives("fred")
        self.press("gwen", "o")
        self.wait_state("gwen", "powered off")
        self.order("destroy gwen", "gwen is being destroyed")
        self.wait_state("gwen", "gone")
        self.die("emil", "o")
        self.wait_state("emil", "gone")

    def quiet(self):
        """quiet holds other consoles' lines back; break reaches the guest's driver"""
        self.ask("quiet on", r"held back")
        self.ask("quiet off", r"shown as they come")
        self.ask("break home", r"^Sent\. In Linux")
        self.board.send("home", "h")
        self.board.expect("home", r"sysrq: HELP", 20)

    def unharmed(self):
        """the Debian guest beside all this has noticed nothing"""
        self.board.send("home", "\necho still $((40 + 2))\n")
        self.board.expect("home", "still 42", 20)
        self.ask("list", r"home +running +2 +192 .* 0$")
        if trouble := self.board.trouble():
            raise Failed(f"somebody complained: {trouble}")

    def ends(self):
        """destroyed guests own no memory; poweroff now ends the machine"""
        for name in ("home", "bert", "cleo", "fred"):
            self.order(f"destroy {name}", f"{name} is being destroyed")
            self.board.expect(None, rf"{name} is gone", 30)
        self.ask("memory", r"free, 0 the")
        self.board.send(None, "poweroff now\r")
        while not self.board.ended:
            if self.board.elapsed() > 600:
                raise Failed("the machine is still on")
            self.board.drain(1)

    TESTS = (starts, describes, explains, top, pauses, destroys, crash_policies, watchdog,
             reboot_policies, poweroff_policies, quiet, unharmed, ends)


def main():
    """Run it all; what comes after a failure is not run."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hypervisor", default=OURS)
    parser.add_argument("--gic", type=int, default=3, choices=(2, 3))
    options = parser.parse_args()
    tap = Tap(len(Story.TESTS))
    guests = [Guest("home", vcpus=2, rights=["inspect *"])]
    guests += [Mortal(name, **keys) for name, keys in MORTALS.items()]
    with Board("console", guests, gic=options.gic, hypervisor=options.hypervisor) as board:
        story, wrong = Story(board), None
        for test in Story.TESTS:
            if not wrong:
                try:
                    test(story)
                except Failed as why:
                    wrong = str(why)
                tap.result(f"console: {test.__doc__}", wrong=wrong)
            else:
                tap.result(f"console: {test.__doc__}", wrong="not run after the failure above")
    return 1 if tap.failures else 0


if __name__ == "__main__":
    sys.exit(main())
