#!/usr/bin/env python3
"""Documents and comments name only what there is.

  docs.py

Of documents: each function `name()` and each file `dir/name.c` between backticks. Of sources: each file
that a comment names with its folder. X and NAME stand for any name. Prints what is not in the tree, and
fails then.
"""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Rules and budgets from before the code, with names of others.
LEFT_OUT = ("docs/house-style.md", "docs/numbers-to-beat.md")
SOURCE = re.compile(r"\.(c|h|S|py|mk|inc|sh)$")
FOLDERS = "hyp|lib|abi|tests|tools|docs|bench|libos|apps|mk|demo|arch|core|vdev"
FILE = re.compile(rf"(?<![\w/.-])((?:{FOLDERS})/[\w./-]+\.(?:c|h|S|py|md|mk|json))\b")
FUNCTION = re.compile(r"\b([a-z_][a-z0-9_]+)\(\)")


def tree():
    """All files of the tree."""
    return subprocess.run(["git", "ls-files"], check=True, cwd=TOP, stdout=subprocess.PIPE,
                          encoding="utf-8").stdout.split()


def lines(path):
    """(number, line) of a file."""
    with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as text:
        yield from enumerate(text, 1)


def is_there(name, files):
    """Some file's path ends like that, or it stands for any name."""
    return re.search(r"\b(X|NAME)\b", name) or any(("/" + file).endswith("/" + name) for file in files)


def main():
    """Exit status 1 if something is named that is not there."""
    files = tree()
    sources = [file for file in files if SOURCE.search(file)]
    words = {word for file in files if not file.endswith(".md") and os.path.isfile(os.path.join(TOP, file))
             for _, line in lines(file) for word in re.findall(r"\w+", line)}
    missing = []
    for path in (file for file in files if file.endswith(".md") and file not in LEFT_OUT):
        for number, line in lines(path):
            for quoted in re.findall(r"`([^`]+)`", line):
                missing += [f"{path}:{number}: {name}()" for name in FUNCTION.findall(quoted) if name not in words]
                missing += [f"{path}:{number}: {name}" for name in FILE.findall(quoted) if not is_there(name, files)]
    for path in sources:
        for number, line in lines(path):
            if "#include" not in line:
                missing += [f"{path}:{number}: {name}" for name in FILE.findall(line) if not is_there(name, files)]
    if missing:
        print("\n".join(missing), file=sys.stderr)
        sys.exit("check-docs: the lines above name what is not in the tree")
    print("check-docs: ok")


if __name__ == "__main__":
    main()
