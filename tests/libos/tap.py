#!/usr/bin/env python3
"""Stages 1 and 2: the applications as Linux processes, with sanitizers. TAP output.

Stage 2 runs in a network namespace of its own: our TCP/IP on one end of a TAP
device, the host's on the other, curl and Python clients against it.
"""
import hashlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/libos")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import names

TOOL = [sys.executable, os.path.join(ROOT, "tools/app/app.py")]
FILES = os.path.join(ROOT, "apps/web/files")
OURS, HOST = "10.9.0.2", "10.9.0.1"
REQUESTS = int(os.environ.get("LIBOS_REQUESTS", "2000"))

RESULTS = []


def report(passed, what):
    """One TAP line."""
    RESULTS.append(bool(passed))
    print(f"{'ok' if passed else 'not ok'} {len(RESULTS)} - {what}", flush=True)


def build(name, stage):
    """Path of an application built with sanitizers."""
    out = subprocess.run(TOOL + ["build", "-t", stage, "--sanitize", name], check=True,
                         stdout=subprocess.PIPE)
    return out.stdout.decode().strip().split("\n")[-1]


def wait_port(address, port, process, seconds=120):
    """Wait until a server accepts connections."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection((address, port), 2).close()
            return True
        except OSError:
            time.sleep(0.1)
    return False


def content(name):
    """What a file of the web server's must be."""
    with open(os.path.join(FILES, name), "rb") as file:
        return file.read()


def fetch_many(address, port, count, errors):
    """`count` GETs over one keep-alive connection, each compared with the file."""
    wanted = content("words.txt")
    try:
        connection = http.client.HTTPConnection(address, port, timeout=120)
        for _ in range(count):
            connection.request("GET", "/words.txt")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200 or body != wanted:
                errors.append(f"status {answer.status}, {len(body)} bytes")
        connection.close()
    except OSError as error:
        errors.append(str(error))


def raw(address, port, request):
    """Send bytes, return all that comes back."""
    with socket.create_connection((address, port), 60) as s:
        s.sendall(request)
        s.settimeout(60)
        answer = b""
        while True:
            part = s.recv(65536)
            if not part:
                return answer
            answer += part


def check_web(address, port, stage):
    """The web server's manners."""
    with_length = raw(address, port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    report(with_length.startswith(b"HTTP/1.1 200 OK\r\n")
           and with_length.endswith(content("index.html")), f"{stage}: GET /")
    answer = raw(address, port, b"HEAD /words.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    report(b"Content-Length: %d\r\n" % len(content("words.txt")) in answer
           and answer.endswith(b"\r\n\r\n"), f"{stage}: HEAD has the length and no body")
    report(b" 404 " in raw(address, port, b"GET /none HTTP/1.0\r\n\r\n"), f"{stage}: 404")
    report(b" 400 " in raw(address, port, b"GET /../etc/passwd HTTP/1.0\r\n\r\n")
           and b" 400 " in raw(address, port, b"GET /%2e%2e/x HTTP/1.0\r\n\r\n"),
           f"{stage}: dot-dot is refused, also encoded")
    report(b" 405 " in raw(address, port, b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"), f"{stage}: 405")
    report(b" 431 " in raw(address, port, b"GET / HTTP/1.1\r\nX: " + b"a" * 5000),
           f"{stage}: 431 for a head that is too large")
    two = raw(address, port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
              b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    report(two.count(b"HTTP/1.1 200 OK") == 2, f"{stage}: pipelined requests")


def load(address, port, stage, connections=20):
    """Many requests over several connections at once."""
    errors = []
    threads = [threading.Thread(target=fetch_many,
                                args=(address, port, REQUESTS // connections, errors))
               for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report(not errors, f"{stage}: {REQUESTS} GETs of {len(content('words.txt'))} bytes over "
           f"{connections} connections, content compared")
    for error in errors[:5]:
        print(f"# {error}")


def stop(process, stage):
    """End a server; sanitizers must have had nothing to say."""
    process.terminate()
    said = process.communicate()[0].decode("utf-8", "replace")
    clean = "ERROR: " not in said and "runtime error" not in said
    report(clean and process.returncode in (0, -15), f"{stage}: sanitizers silent")
    if not clean:
        print("".join(f"# {line}\n" for line in said.split("\n")[:40]))


def stage_linux():
    """Stage 1."""
    program = build("web", "linux")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([program, str(port)], env=dict(os.environ, APP_FILES=FILES),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    report(wait_port("127.0.0.1", port, process), "linux: web listens")
    check_web("127.0.0.1", port, "linux")
    stop(process, "linux")
    out = subprocess.run([build("posix", "linux")], stdout=subprocess.PIPE, check=False)
    report(out.returncode == 0 and b"not ok" not in out.stdout,
           "linux: the system call tests expect what Linux does")


def look_up(stage, program, **environment):
    """apps/lookup asks the name server on tap0; as a plain Linux process by a resolv.conf that leads there."""
    command = [program] + names.WORDS
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as folder:
        if stage == "linux":
            for name, text in (("resolv.conf", f"nameserver {HOST}"), ("nsswitch.conf", "hosts: dns")):
                with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                    file.write(text + "\n")
            command = ["unshare", "-m", "sh", "-e", "-c", "for f in resolv.conf nsswitch.conf; do "
                       'mount --bind "$0/$f" /etc/$f; done; exec "$@"', folder] + command
        result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                                env=dict(os.environ, LIBOS_TAP="tap0", **environment))
    said = result.stdout.decode("utf-8", "replace")
    wrong = names.wrong(said) or (f"status {result.returncode}" if result.returncode else None)
    report(not wrong, f"{stage}: lookup: A, AAAA, aliases, no such name; sanitizers silent" + (f": {wrong}" if wrong else ""))
    if wrong:
        print("".join(f"# {line}\n" for line in said.split("\n")), flush=True)


def stage_tap():
    """Stage 2, and what of stage 1 needs a name server; in the namespace."""
    program = build("web", "tap")
    for command in ("ip link set lo up", "ip tuntap add tap0 mode tap", "ip link set tap0 up",
                    f"ip addr add {HOST}/24 dev tap0"):
        subprocess.run(command.split(), check=True)
    process = subprocess.Popen(
        [program, "80"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=dict(os.environ, APP_FILES=FILES, LIBOS_TAP="tap0",
                 LIBOS_NET=f"{OURS}/24,gateway={HOST}"))
    report(wait_port(OURS, 80, process), "tap: web listens on our TCP/IP")
    check_web(OURS, 80, "tap")
    load(OURS, 80, "tap")
    ping = subprocess.run(["ping", "-c", "3", "-W", "20", OURS], stdout=subprocess.PIPE,
                          check=False) if shutil.which("ping") else None
    report(ping is None or ping.returncode == 0, "tap: answers ping"
           + (" # SKIP no ping here" if ping is None else ""))
    subprocess.run(["ip", "link", "set", "tap0", "mtu", "600"], check=True)
    digest = hashlib.sha256(raw(OURS, 80, b"GET /words.txt HTTP/1.0\r\n\r\n")
                            .split(b"\r\n\r\n", 1)[1]).hexdigest()
    report(digest == hashlib.sha256(content("words.txt")).hexdigest(),
           "tap: a small segment size on the way (MTU 600)")
    stop(process, "tap")
    with names.server(dhcp="10.9.0.100,10.9.0.150") as server:
        look_up("linux", build("lookup", "linux"))
        look_up("tap", build("lookup", "tap"), LIBOS_NET="dhcp")
        look_up("tap, dns=", build("lookup", "tap"), LIBOS_NET=f"{OURS}/24,dns={HOST}")
        server.terminate()


def main():
    """All of stage 1, then stage 2 in a namespace."""
    if len(sys.argv) > 1 and sys.argv[1] == "--inside":
        stage_tap()
    else:
        stage_linux()
        for name in ("web", "lookup"):  # while there is a network
            build(name, "tap")
        sys.stdout.flush()
        inside = subprocess.run(["unshare", "-n" if os.geteuid() == 0 else "-Urn", sys.executable, __file__, "--inside"],
                                stdout=subprocess.PIPE, check=False)
        lines = inside.stdout.decode("utf-8", "replace").split("\n")
        for line in lines:
            if line.startswith(("ok", "not ok")):
                passed, _, what = line.partition(" - ")
                report(passed.startswith("ok"), what)
            elif line.startswith("#"):
                print(line)
        if inside.returncode not in (0, 1) or not lines[0]:
            report(False, f"tap: the run in a network namespace ended with {inside.returncode}")
        print(f"1..{len(RESULTS)}")
    return 0 if RESULTS and all(RESULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
