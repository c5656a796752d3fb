"""A name server for tests, and what apps/lookup must say when it asks it.

The server is dnsmasq, which is a DHCP server too; it knows nothing but the names below.
"""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/lib")]

# pylint: disable=wrong-import-position
from child import dies_with_parent

RECORDS = ["--host-record=four.test,192.0.2.77", "--host-record=six.test,2001:db8::77",
           "--host-record=both.test,192.0.2.78,2001:db8::78", "--cname=alias.test,both.test", "--local=/test/"]

# Words of lookup's command line, and the addresses that must follow each name. Of both kinds, of one, by
# gethostbyname(), through an alias, what is not there, what needs no server.
QUESTIONS = [("-a four.test", "192.0.2.77"), ("six.test", "2001:db8::77"), ("both.test", "192.0.2.78 2001:db8::78"),
             ("-4 both.test", "192.0.2.78"), ("alias.test", "192.0.2.78"), ("six.test", "no such name"),
             ("-6 both.test", "2001:db8::78"), ("-h four.test", "192.0.2.77"), ("none.test", "no such name"),
             ("-4 none.test", "no such name"), ("192.0.2.9", "192.0.2.9")]
WORDS = [word for words, _ in QUESTIONS for word in words.split()]


def server(dhcp="10.0.2.100,10.0.2.150"):
    """Names, and addresses with this server as the name server, on tap0; it answers when this returns."""
    process = subprocess.Popen(
        ["/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--leasefile-ro",
         "--interface=tap0", "--bind-interfaces", "--no-resolv", "--no-hosts", "--no-ping", f"--dhcp-range={dhcp}",
         "--log-facility=-"] + RECORDS, preexec_fn=dies_with_parent, stderr=subprocess.PIPE)
    for line in process.stderr:
        if b"started" in line:
            break
    return process


def wrong(said):
    """None if these are lookup's right answers, in any order of addresses; else the first wrong line."""
    lines = [line.strip() for line in said.split("\n") if ": " in line]
    for words, wanted in QUESTIONS:
        name = words.split()[-1]
        found = next((n for n, line in enumerate(lines) if line.startswith(name + ": ")), None)
        if found is None:
            return f"no answer for {name}"
        got = lines[found].partition(": ")[2]
        if sorted(got.split()) != sorted(wanted.split()):
            return f"{name}: {got}, not {wanted}"
        del lines[:found + 1]
    return None
