#!/usr/bin/env python3
"""bulkhead app as a user meets it: help, manual, and what it says of each mistake. TAP.

Every key of a manifest and every command is in the manual; every mistake ends with status 1, one message that
names the place and the cure, no traceback, and no image.
"""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/libos"), os.path.join(ROOT, "tools/app")]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import manifest
import tap

MANUAL = os.path.join(ROOT, "tools/app/bulkhead-app.1")
COMMANDS = ("configure", "build", "run", "report", "decode")
GOOD = "name = bad\nsources = bad.c\n"
HELLO = "#include <stdio.h>\nint main(void) { puts(\"hi\"); return 0; }\n"
# What is wrong, the manifest, the source, words that the message must hold.
MISTAKES = [
    ("a line that is none", GOOD + "memory 8M\n", HELLO, ["app.conf:3", "is not `key = value`"]),
    ("an unknown key", GOOD + "memmory = 8M\n", HELLO, ["app.conf:3", "no key `memmory`", "memory"]),
    ("a key given twice", GOOD + "name = bad\n", HELLO, ["app.conf:3", "`name` is given twice"]),
    ("a size that is none", GOOD + "memory = lots\n", HELLO, ["app.conf:3", "memory", "such as 512K or 8M"]),
    ("too little memory", GOOD + "memory = 64K\n", HELLO, ["memory must be at least 512K"]),
    ("a stack of half a page", GOOD + "stack = 2K\n", HELLO, ["stack must be whole pages"]),
    ("a flag that is none", GOOD + "seal = maybe\n", HELLO, ["app.conf:3", "neither yes nor no"]),
    ("a network that is none", GOOD + "net = wifi\n", HELLO, ["net must be none, dhcp or such as"]),
    ("an option of the network", GOOD + "net = 192.0.2.1/24,gw=192.0.2.2\n",
     "#include <sys/socket.h>\nint main(void) { return socket(AF_INET, SOCK_STREAM, 0); }\n",
     ["unknown option gw", "gateway="]),
    ("a disk that is none", GOOD + "disk = xvda\n", HELLO, ["disk must be none or a path"]),
    ("a missing name", "sources = bad.c\n", HELLO, ["`name` is missing"]),
    ("no sources", "name = bad\n", HELLO, ["give either `sources` or `project`"]),
    ("a missing source", "name = bad\nsources = worse.c\n", HELLO, ["worse.c does not exist"]),
    ("missing files", GOOD + "files = nowhere\n", HELLO, ["nowhere does not exist"]),
    ("an unknown library", GOOD + "libraries = qt\n", HELLO, ["no library `qt`", "sqlite3"]),
    ("a source that does not compile", GOOD, "int main(void) { return x; }\n", ["bad.c:1", "x"]),
    ("a function that nobody has", GOOD, "int nobody(void);\nint main(void) { return nobody(); }\n", ["nobody"]),
    ("a system call whose number cannot be read", GOOD,
     "#include <unistd.h>\nint main(int c, char **v) { return (int)syscall(c * 7 + **v); }\n",
     ["cannot tell which system calls", "main", "constant number"]),
]


def tool(*words):
    """(status, what it said)."""
    result = subprocess.run([sys.executable, os.path.join(ROOT, "tools/app/app.py"), *words], check=False,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result.returncode, result.stdout.decode("utf-8", "replace")


def expect(what, status, words, answer):
    """One result."""
    good = answer[0] == status and all(word in answer[1] for word in words) and "Traceback" not in answer[1]
    tap.report(good, what)
    if not good:
        print(f"# status {answer[0]}, wanted {status} and {words}")
        print("".join(f"# {line}\n" for line in answer[1].split("\n")[-15:]), flush=True)


def check_outputs():
    """What a build leaves for xl and for a tree without a control domain can be used as it is."""
    where = os.path.join(ROOT, "build/arm64/apps/hello")
    said = subprocess.run([os.path.join(ROOT, "build/host/bulkhead"), "check", "xl.cfg"], cwd=where, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    tap.report(said.returncode == 0, "xl.cfg passes `bulkhead check`")
    if said.returncode != 0:
        print(f"# {said.stdout.decode()}")
    with open(os.path.join(where, "domain.dtsi"), encoding="utf-8") as file:
        fragment = file.read().replace("ADDRESS", "50000000")
    source = f"/dts-v1/; / {{ chosen {{ #address-cells = <2>; #size-cells = <2>; {fragment} }}; }};"
    said = subprocess.run(["dtc", "-I", "dts", "-O", "dts"], input=source.encode(), check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    tap.report(said.returncode == 0 and b"multiboot,kernel" in said.stdout, "domain.dtsi compiles below /chosen")


def main():
    """The manual, the help, the mistakes."""
    with open(MANUAL, encoding="utf-8") as file:
        manual = file.read()
    missing = [word for word in COMMANDS + tuple(manifest.KEYS) if f".B {word}\n" not in manual]
    tap.report(not missing, f"the manual explains every command and every key {missing or ''}")
    said = subprocess.run(["man", "--warnings", "-l", MANUAL], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE).stderr.decode() if os.path.exists("/usr/bin/man") else ""
    tap.report(not said, f"man has nothing to complain of {said.strip()}")
    expect("--help names every command", 0, COMMANDS, tool("--help"))
    for command in COMMANDS:
        expect(f"{command} --help", 0, ["NAME"], tool(command, "--help"))
    expect("no command: what there is", 2, ["usage:", "COMMAND"], tool())
    expect("an application that is not there", 1, ["apps/nothing/app.conf does not exist"], tool("build", "nothing"))
    expect("a name that cannot be one", 1, ["`No/Name` is not the name of an application"], tool("build", "No/Name"))
    expect("stage tap without a network", 1, ["net = none", "use -t linux"], tool("build", "-t", "tap", "hello"))
    check_outputs()
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as folder:
        path = os.path.join(folder, "app.conf")
        image = os.path.join(ROOT, "build/arm64/apps/bad/bad")
        with open(path, "w", encoding="utf-8") as file:
            file.write("name = unbuilt\nproject = none.sh\n")
        expect("a report of what was never built", 1, ["has not been built", "bulkhead app build"], tool("report", path))
        for what, text, source, words in MISTAKES:
            for name, content in (("app.conf", text), ("bad.c", source)):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(content)
            if os.path.exists(image):
                os.unlink(image)
            answer = tool("build", "-t", "xen", path)
            expect(what, 1, ["app: error: "] + words, answer)
            tap.report(not os.path.exists(image), f"{what}: no image")
    print(f"1..{len(tap.RESULTS)}")
    return 0 if all(tap.RESULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
