#!/usr/bin/env python3
"""Unikernels against Linux's back ends: stock Xen 4.17, a Debian dom0, xl, netback, blkback. TAP.

  dom0_net.py [REQUESTS [NAME...]]   GETs of the load test (default 2000); only these programs
                                     (sqlite always)

The host talks to the unikernels through QEMU's port forwarding and dom0's bridge.
"""
import http.client
import os
import re
import socket
import ssl
import struct
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/libos"), os.path.join(ROOT, "tools/app")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import dom0
import tap

ADDRESS = {"web": 21, "web-tls": 22, "lighttpd": 23, "dns": 24}
PORTS = {"web": ("tcp", 80), "web-tls": ("tcp", 443), "lighttpd": ("tcp", 80), "dns": ("udp", 53)}
KILLS = 3
report = tap.report


START = """
log=/var/log/xen/console
mkdir -p $log
killall xenconsoled
xenconsoled --log=guest --pid-file=/var/run/xenconsoled.pid
show() { echo "log of $1:"; cat $log/guest-$1.log; echo "end of log"; }
wait_log() { # NAME TEXT SECONDS
    i=0
    while ! grep -q "$2" $log/guest-$1.log 2>/dev/null && [ $i -lt $3 ]; do sleep 1; i=$((i+1)); done
}
create() { # libxl gives a back end ten seconds, which a loaded machine may not have
    for try in 1 2 3 4; do
        xl create /apps/$1.cfg && return
        sleep 5
    done
    echo "dom0: xl create $1 failed"
    : >$log/guest-$1.log
    echo "network: no listening on" >>$log/guest-$1.log
}
for app in @APPS@; do
    create $app
    case $app in dns) wait_log dns "network: address" 200 ;; *) wait_log $app "listening on" 200 ;; esac
    show $app
    echo "dom0: started $app"
done
xl list
for round in @ROUNDS@; do
    rm -f $log/guest-sqlite.log
    create sqlite
    wait_log sqlite "durable: $round" 300
    xl destroy sqlite
    sleep 1
    show sqlite
    echo "dom0: killed sqlite $round"
done
echo "dom0: all done"
"""


def files_of(apps):
    """What the board's disk "apps" holds."""
    files = {}
    for name in apps + ["sqlite"]:
        with open(os.path.join(ROOT, "build/arm64/apps", name, name), "rb") as file:
            files[name] = file.read()
    for name in apps:
        files[f"{name}.cfg"] = dom0.config(
            name, 12 if name == "lighttpd" else 8,
            f"ip=10.0.2.{ADDRESS[name]}/24 gateway=10.0.2.2", ADDRESS[name])
    files["sqlite.cfg"] = dom0.config("sqlite", 16, "-- 100000", disk=True)
    files["vif"] = dom0.VIF_SCRIPT
    files["blk"] = dom0.BLOCK_SCRIPT
    files["start.sh"] = (START.replace("@APPS@", " ".join(apps))
                         .replace("@ROUNDS@", " ".join(str(40 * (k + 1)) for k in range(KILLS)))
                         ).encode()
    return files


def fetch_many(port, count, errors, name, tls):
    """Keep-alive GETs compared with the file."""
    wanted = tap.content(name)
    try:
        context = ssl._create_unverified_context() if tls else None  # pylint: disable=protected-access
        connection = (http.client.HTTPSConnection("127.0.0.1", port, timeout=300, context=context)
                      if tls else http.client.HTTPConnection("127.0.0.1", port, timeout=300))
        for _ in range(count):
            connection.request("GET", "/" + name)
            answer = connection.getresponse()
            if answer.status != 200 or answer.read() != wanted:
                errors.append(f"status {answer.status}")
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        errors.append(repr(error))


def load(port, what, total, connections, name, tls=False):
    """Several connections at once."""
    errors = []
    threads = [threading.Thread(target=fetch_many,
                                args=(port, total // connections, errors, name, tls))
               for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report(not errors, f"xen: {what}: {total} GETs of {name} over {connections} connections, "
           "content compared")
    for error in errors[:5]:
        print(f"# {error}", flush=True)


def ask_dns(port, name, kind):
    """One question; (rcode, number of answers, the message)."""
    question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"
    message = struct.pack(">HHHHHH", 4711, 0x0100, 1, 0, 0, 0) + question + struct.pack(">HH",
                                                                                        kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(30)
        for _ in range(4):
            s.sendto(message, ("127.0.0.1", port))
            try:
                answer = s.recv(2000)
                break
            except TimeoutError:
                continue
        else:
            return None, 0, b""
    return answer[3] & 15, struct.unpack(">H", answer[6:8])[0], answer


def check_dns(port):
    """A, CNAME and a name that does not exist."""
    code, count, message = ask_dns(port, "example.test", 1)
    report(code == 0 and count == 1 and message.endswith(bytes([192, 0, 2, 1])), "xen: dns: A")
    code, count, _ = ask_dns(port, "www.example.test", 1)
    report(code == 0 and count == 2, "xen: dns: CNAME followed")
    report(ask_dns(port, "none.example.test", 1)[0] == 3, "xen: dns: NXDOMAIN")
    report(ask_dns(port, "elsewhere.test", 1)[0] == 5, "xen: dns: other zones refused")


def check(name, port, total):
    """What this program must do for clients on the host."""
    if name == "web":
        tap.check_web("127.0.0.1", port, "xen: web")
        load(port, name, total, 20, "words.txt")
    elif name == "web-tls":
        load(port, name, max(20, total // 40), 5, "index.html", True)
    elif name == "lighttpd":
        load(port, name, max(40, total // 4), 10, "words.txt")
    else:
        check_dns(port)


def check_sqlite(text):
    """Every kill: clean, and nothing announced was lost."""
    logs = re.findall(r"log of sqlite:\n(.*?)end of log\ndom0: killed", text, re.S)
    report(len(logs) == KILLS, f"xen: sqlite ran {KILLS} times")
    announced = 0
    for number, log in enumerate(logs, 1):
        found = re.search(r"integrity: ok\s+rows: (\d+), last (\d+), wrong (\d+)", log)
        good = found and int(found[1]) == int(found[2]) >= announced and found[3] == "0"
        report(good, f"xen: sqlite, start {number}: integrity ok, "
               f"{found[1] if found else 'no'} rows, {announced} had been announced")
        announced = max([announced] + [int(n) for n in re.findall(r"durable: (\d+)", log)])
    report(announced > 0, f"xen: sqlite made {announced} rows durable over {KILLS} kills")


def main():
    """Boot once, test everything."""
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    apps = [name for name in ADDRESS if (len(sys.argv) < 3 or name in sys.argv[2:])
            and os.path.exists(os.path.join(ROOT, "build/arm64/apps", name, name))]
    for name in sorted(set(ADDRESS) - set(apps)):
        print(f"# {name} is left out: not built (bulkhead app build -t xen {name})")
    ports = {name: dom0.free_port() for name in apps}
    forwards = [(PORTS[n][0], ports[n], PORTS[n][1], ADDRESS[n]) for n in apps]
    with tempfile.NamedTemporaryFile(suffix=".img") as disk:
        disk.truncate(32 << 20)
        machine = dom0.Dom0(files_of(apps), forwards, disk.name, seconds=3600)
        try:
            report(machine.wait_for("dom0: ready"), "xen: dom0 boots, store and consoles run")
            for name in apps:
                machine.wait_for(f"dom0: started {name}\n")
                log = re.findall(rf"log of {name}:\n(.*?)end of log", machine.text, re.S)
                report(log and "network: address" in log[-1], f"xen: {name} is up behind netback")
                for line in (log[-1] if log else "no log").split("\n"):
                    print(f"# {line}")
                check(name, ports[name], total)
            report(machine.wait_for("dom0: all done"), "xen: all rounds of sqlite ended")
            check_sqlite(machine.text)
        finally:
            machine.stop()
            with open(os.path.join(ROOT, "build/dom0-console.txt"), "w",
                      encoding="utf-8") as file:
                file.write(machine.text)
    print(f"1..{len(tap.RESULTS)}")
    return 0 if all(tap.RESULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
