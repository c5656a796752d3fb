#!/usr/bin/env python3
"""Check that docs/abi-coverage.md has a row for every hypercall and every operation. Prints TAP."""
import pathlib
import re
import sys

OPERATIONS = re.compile(r"^#define ((?:EVTCHNOP|GNTTABOP|XENMEM|SCHEDOP|VCPUOP|XENVER|HVMOP|CONSOLEIO)"
                        r"_(?!resource)\w+) ", re.M)


def main():
    """One test per family of names, and one that a missing row is noticed."""
    rows = {}
    for line in pathlib.Path("docs/abi-coverage.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) >= 4:
            for name in cells[:2]:
                rows[name] = rows.get(name, 0) + 1
    listed = re.findall(r"^HYPERCALL\((\w+)", pathlib.Path("hyp/core/xen/hypercall-list.h").read_text(), re.M)
    headers = sorted(pathlib.Path("abi/xen").glob("*.h"))
    families = {"hypercalls": listed}
    families.update({h.name: OPERATIONS.findall(h.read_text()) for h in headers})
    families = {name: found for name, found in families.items() if found}
    print(f"1..{len(families) + 1}")
    failed = 0
    for family, names in families.items():
        missing = [name for name in names if rows.get(name, 0) != 1]
        print(f"{'not ok' if missing else 'ok'} - {family}: {len(names)} operations have one row each")
        for name in missing:
            print(f"# {name}: {rows.get(name, 0)} rows")
        failed += bool(missing)
    sound = sum(len(names) for names in families.values()) > 80 and "XENMEM_none" not in rows
    print(f"{'ok' if sound else 'not ok'} - the lists are not empty")
    sys.exit(failed + (not sound) != 0)


if __name__ == "__main__":
    main()
