#!/usr/bin/env python3
"""Stages 1 and 2 of every program, under sanitizers or valgrind, asked by real clients. TAP.

  stages.py [--valgrind | --plain] [--requests N] [NAME...]

linux is the host's own sockets, tap our TCP/IP on a TAP device; the clients and what they must get are
those of the unikernels (clients.py). Whatever a sanitizer or valgrind says is a failure. In a network
namespace of its own, so the programs have the ports that they have in a domain.
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/libos"), os.path.join(ROOT, "tests/lib")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import clients
import names as name_server
import tap
from child import dies_with_parent

TOOL = [sys.executable, os.path.join(ROOT, "tools/app/app.py")]
VALGRIND = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=no"]
BAD = ("ERROR: ", "runtime error", "== Invalid", "== Conditional jump", "== Use of", "== Syscall param",
       "== Process terminating")


def command_of(name, stage, how):
    """(command line, folder) of a program as `bulkhead app run` would start it."""
    words = TOOL + ["build", "-t", stage] + (["--sanitize"] if how == "sanitize" else []) + [name]
    program = subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout.decode().split()[-1]
    root = os.path.join(os.path.dirname(program), "root")
    return (VALGRIND if how == "valgrind" else []) + [program], root


def finish(process, what):
    """End a server; nobody may have complained.

    lighttpd takes SIGTERM for "at once" and then counts connections still open as a failure.
    """
    process.send_signal(signal.SIGINT if "lighttpd" in what else signal.SIGTERM)
    said = process.communicate()[0].decode("utf-8", "replace")
    clean = not any(word in said for word in BAD) and process.returncode in (0, -signal.SIGTERM)
    tap.report(clean, f"{what}: nothing to complain of (status {process.returncode})")
    if not clean:
        print("".join(f"# {line}\n" for line in said.split("\n")[:40]), flush=True)


ARGUMENTS = {"web": ["80"], "web-tls": ["443", "/www", "/tls"], "dns": ["/etc/zone", "53"],
             "lighttpd": ["-D", "-f", "/etc/lighttpd.conf"]}


def serve(name, stage, how, requests):
    """One server in one stage."""
    command, root = command_of(name, stage, how)
    words = [root + w if w.startswith("/") else w for w in ARGUMENTS[name]]
    address = clients.address_of(name) if stage == "tap" else "127.0.0.1"
    network = clients.boot_words(name).replace("ip=", "", 1).replace(" ", ",")
    process = subprocess.Popen(
        command + words, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=dies_with_parent,
        env=dict(os.environ, APP_FILES=root, LIBOS_TAP="tap0", LIBOS_NET=network,
                 ASAN_OPTIONS="detect_leaks=0"))
    what = f"{stage}: {name}"
    if name == "dns" or tap.wait_port(address, clients.PORTS[name], process):
        clients.check(name, address, what, requests, 300)
    else:
        tap.report(False, f"{what}: listens")
    finish(process, what)


def run_once(name, how, words=(), stage="linux"):
    """A program that ends by itself."""
    command, root = command_of(name, stage, how)
    result = subprocess.run(command + list(words), cwd=root, check=False, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, env=dict(
                                os.environ, LIBOS_TAP="tap0", LIBOS_NET="dhcp"))
    said = result.stdout.decode("utf-8", "replace")
    good = result.returncode == 0 and not any(word in said for word in BAD + ("not ok",))
    tap.report(good, f"{stage}: {name} {' '.join(words[:1])}: ends well, nothing to complain of")
    if not good:
        print("".join(f"# {line}\n" for line in said.split("\n")[-40:]), flush=True)
    return said


def stages_of(name):
    """Those that a program has: the second is about sockets."""
    return ("linux",) if name in ("hello", "posix", "sqlite") else ("linux", "tap")


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--valgrind", dest="how", action="store_const", const="valgrind", default="sanitize")
    parser.add_argument("--plain", dest="how", action="store_const", const="plain")
    parser.add_argument("--requests", type=int, default=0, help="of the load test, to each server")
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args()
    names = given.names or ["hello", "posix", "posix-io", "sqlite", "web", "web-tls", "dns"]
    if "LIBOS_INSIDE" not in os.environ:
        for name in names:  # what is missing in the cache comes while there is a network
            for stage in stages_of(name):
                command_of(name, stage, given.how)
    clients.own_network()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in names:
        if name in ARGUMENTS:
            for stage in ("linux", "tap"):
                serve(name, stage, given.how, given.requests)
        elif name == "posix-io":
            for stage in stages_of(name):
                with tempfile.TemporaryDirectory(prefix="bulkhead-") as folder, name_server.server() as server:
                    said = run_once(name, given.how, [folder], stage)
                    tap.report(stage == "linux" or "network: address 10.0.2.1" in said,
                               f"{stage}: posix-io: its address, by DHCP in stage tap")
                    server.terminate()
        elif name == "sqlite":
            with tempfile.TemporaryDirectory(prefix="bulkhead-") as folder:
                path = os.path.join(folder, "test.db")
                run_once(name, given.how, ["40", path])
                said = run_once(name, given.how, ["1", path])
                tap.report("integrity: ok\nrows: 40, last 40, wrong 0" in said, "linux: sqlite finds its 40 rows")
        else:
            run_once(name, given.how)
    print(f"1..{len(tap.RESULTS)}")
    return 0 if tap.RESULTS and all(tap.RESULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
