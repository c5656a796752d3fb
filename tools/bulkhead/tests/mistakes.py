#!/usr/bin/env python3
"""Seeded mistakes in domain files, each of which the host tool must say in words.

  mistakes.py PROGRAM      (a build with sanitizers, so that a wrong step shows)

Each case is what differs from a good file (or files) and the sentence that has
to come, with file and line. `good_*` cases must pass without a word of error.
Prints TAP.
"""
import os
import subprocess
import sys
import tempfile

GOOD = {
    "name": '"home"',
    "memory": "64",
    "vcpus": "1",
    "kernel": '"Image"',
    "vuart": '"sbsa_uart"',
    "extra": '"console=ttyAMA0"',
}


def arm64_image(size=4096, memory=0x10000):
    """The first bytes of an arm64 Image (Linux, Documentation/arm64/booting.rst)."""
    header = bytearray(size)
    header[16:24] = memory.to_bytes(8, "little")
    header[56:60] = b"ARM\x64"
    return bytes(header)


FILES = {
    "Image": arm64_image(),
    "huge": arm64_image(memory=256 << 20),
    "initrd": b"070701" + b"0" * 104,
    "packed.gz": b"\x1f\x8b\x08" + b"\0" * 64,
    "packed.xz": b"\xfd7zXZ\0" + b"\0" * 64,
    "zboot": b"MZ\0\0zimg" + b"\0" * 64,
    "program": b"\x7fELF" + b"\0" * 64,
    "wrapped": b"\x27\x05\x19\x56" + b"\0" * 64,
    "empty": b"",
    "short": b"abc",
    "text.dts": b"/dts-v1/; / { };",
}


def domain(**changes):
    """A domain file that differs from the good one; a key set to None is left away."""
    keys = {**GOOD, **changes}
    return "".join(f"{key} = {value}\n" for key, value in keys.items() if value is not None)


def second(**changes):
    """Another domain beside the good one."""
    return domain(**{"name": '"work"', **changes})


# name: (files, options, what must be said; None: nothing)
CASES = {
    "good_alone": ([domain()], [], None),
    "good_two": ([domain(), second()], [], None),
    "good_every_key": ([domain(
        type='"pvh"', maxmem="128", maxvcpus="2", ramdisk='"initrd"', cpus='["0", "1"]',
        cpu_weight="512", cap="150", on_poweroff='"destroy"', on_reboot='"restart"',
        on_crash='"preserve"', gic_version='"v3"', nr_spis="32", xen_enhanced='"no-xenstore"',
        rights='["console", "control work", "inspect *"]', uuid='"1"'), second()], [], None),
    "good_syntax": (["# comment\nname = 'a'; memory = 0x40\nkernel=\"Image\"\nextra = \"a\"\n"
                     "extra += ' b'\nvuart = \"sbsa_uart\"\nrights = [\n 'console', # one\n 'store',\n"
                     "]\n"], [], None),
    "good_number_in_quotes": ([domain(memory='"64"')], [], None),
    "good_dedicated": ([domain(sched='"dedicated"'), second()], [], None),
    "good_real_time": ([domain(sched='"rt"', budget="2000", period="10000")], [], None),
    "good_rights": ([domain(rights='["build", "device /pl031@9010000", "irq 34", "inspect *"]')], [], None),
    "good_direct_map": ([domain(direct_map="1", assign='["/virtio_mmio@a000000"]')], [], None),
    "good_assign_clock": ([domain(direct_map="1", assign='["/pl031@9010000", "/pl061@9030000"]')], [], None),
    "good_one_kernel_for_all": ([domain(), second(), domain(name='"third"')], [], None),

    "bad_key_misspelt": ([domain(memroy="1")], [], "d0.cfg:7: error: memroy is not a key; is memory "
                         "meant?"),
    "bad_key_unknown": ([domain(frobnicate="1")], [], "d0.cfg:7: error: frobnicate is not a key"),
    "bad_key_twice": ([domain() + "vcpus = 2\n"], [], "d0.cfg:7: error: vcpus is set a second time; "
                      "line 3"),
    "bad_name_missing": ([domain(name=None)], [], "d0.cfg: error: name is missing"),
    "bad_memory_missing": ([domain(memory=None)], [], "memory is missing"),
    "bad_kernel_missing": ([domain(kernel=None)], [], "kernel is missing"),
    "bad_name_letters": ([domain(name='"a b"')], [], "d0.cfg:1: error: name \"a b\" is not usable"),
    "bad_name_twice": ([domain(), domain()], [], "d1.cfg:1: error: name \"home\" is taken by"),
    "bad_string_open": (['name = "home\nmemory = 1\n'], [], "d0.cfg:1: error: string without closing"),
    "bad_list_open": ([domain(rights='["console"')], [], "expected , or ] in the list that begins"),
    "bad_bare_word": ([domain(name="home")], [], "found `h'; text goes in quotes"),
    "bad_no_equals": (["name home\n"], [], "expected `name = value', found `h' after the key"),
    "bad_two_values": (['name = "a" "b"\n'], [], "expected the end of the line after the value"),
    "bad_number": ([domain(memory="12x")], [], "`12x' is not a number"),
    "bad_nesting": ([domain(rights="[" * 20)], [], "lists nested more than 8 deep"),
    "bad_type_of_value": ([domain(memory="[1]")], [], "d0.cfg:2: error: memory wants a number"),
    "bad_type_of_text": ([domain(kernel="3")], [], "kernel wants text in quotes"),
    "bad_append_kinds": ([domain() + "extra += ['a']\n"], [], "+= needs two strings or two lists"),
    "bad_file_missing": (["missing"], [], "missing.cfg: error: cannot be read"),

    "bad_kernel_not_there": ([domain(kernel='"nowhere"')], [], "d0.cfg:4: error: kernel: cannot read"),
    "bad_kernel_gzip": ([domain(kernel='"packed.gz"')], [], "compressed with gzip; decompress it"),
    "bad_kernel_xz": ([domain(kernel='"packed.xz"')], [], "compressed with xz; decompress it"),
    "bad_kernel_zboot": ([domain(kernel='"zboot"')], [], "compressed EFI program"),
    "bad_kernel_elf": ([domain(kernel='"program"')], [], "ELF file; convert it"),
    "bad_kernel_uboot": ([domain(kernel='"wrapped"')], [], "wrapped for U-Boot"),
    "bad_kernel_empty": ([domain(kernel='"empty"')], [], "is empty"),
    "bad_kernel_short": ([domain(kernel='"short"')], [], "neither an arm64 Image nor an arm zImage"),
    "bad_kernel_folder": ([domain(kernel='"/"')], [], "is not a plain file"),
    "bad_exchanged": ([domain(kernel='"initrd"', ramdisk='"Image"')], [],
                      "are kernel and ramdisk exchanged?"),
    "bad_ramdisk_not_there": ([domain(ramdisk='"nowhere"')], [], "d0.cfg:7: error: ramdisk: cannot"),
    "bad_device_tree_source": ([domain(device_tree='"text.dts"')], [], "compile it (dtc"),

    "bad_memory_zero": ([domain(memory="0")], [], "memory = 0 is out of range"),
    "bad_memory_small": ([domain(kernel='"huge"')], [], "kernel and ramdisk alone take 257 MiB"),
    "bad_memory_board": ([domain(memory="9000")], [], "memory = 9000 is more than the whole board"),
    "bad_memory_sum": ([domain(memory="3000"), second(memory="3000")], [], "adds up to 6000 MiB"),
    "bad_maxmem": ([domain(maxmem="32")], [], "maxmem is less than memory"),
    "bad_vcpus_zero": ([domain(vcpus="0")], [], "vcpus = 0 is out of range"),
    "bad_vcpus_gic2": ([domain(vcpus="9", gic_version='"v2"')], [], "9 vCPUs need GICv3"),
    "bad_maxvcpus": ([domain(vcpus="4", maxvcpus="2")], [], "maxvcpus is less than vcpus"),
    "bad_cpus_text": ([domain(cpus='"0-"')], [], "`0-' is not a CPU list"),
    "bad_cpus_none": ([domain(cpus='"0,^0"')], [], "leaves no CPU"),
    "bad_cpus_board": ([domain(cpus='"7"')], [], "cpus names CPU 7; the board has 4"),
    "bad_cpus_beyond": ([domain(cpus='"99"')], [], "names a CPU above 63"),
    "bad_cpus_count": ([domain(vcpus="4", cpus='["0", "1"]')], [], "cpus lists 2 entries for 4 vCPUs"),
    "bad_weight": ([domain(cpu_weight="65536")], [], "it goes from 1 to 65535"),
    "bad_rt_no_budget": ([domain(sched='"rt"')], [], "needs budget and period"),
    "bad_rt_reversed": ([domain(sched='"rt"', budget="5000", period="1000")], [], "budget not above"),
    "bad_budget_alone": ([domain(budget="5000")], [], "only with sched = \"rt\""),
    "bad_rt_weight": ([domain(sched='"rt"', budget="1", period="1000", cpu_weight="1")], [],
                      "cpu_weight and cap share CPUs"),
    "bad_dedicated_many": ([domain(sched='"dedicated"', vcpus="5")], [], "needs 5 CPUs of its own"),
    "bad_dedicated_all": ([domain(sched='"dedicated"', vcpus="4"), second()], [],
                          "none is left for the other domains"),
    "bad_dedicated_taken": ([domain(sched='"dedicated"', cpus='["1"]'), second(cpus='"1"')], [],
                            "CPU 1 is dedicated to one domain"),
    "bad_dedicated_map": ([domain(sched='"dedicated"', cpus='"0-1"')], [], "one CPU for each vCPU"),
    "bad_action": ([domain(on_crash='"explode"')], [], "it is one of \"destroy\", \"restart\""),
    "bad_type": ([domain(type='"hvm"')], [], "type = \"hvm\" does not exist on Arm"),
    "bad_gic": ([domain(gic_version='"v4"')], [], "gic_version = \"v4\" is not known"),
    "bad_spis": ([domain(nr_spis="5000")], [], "nr_spis = 5000 is out of range"),
    "bad_right": ([domain(rights='["contrl work"]'), second()], [], "is control meant?"),
    "bad_right_target": ([domain(rights='["control nobody"]')], [], "speaks of domain nobody"),
    "bad_right_bare": ([domain(rights='["control"]')], [], "does not say over which domains"),
    "bad_right_device": ([domain(rights='["device /no@where"]')], [], "has no such node"),
    "bad_right_device_bare": ([domain(rights='["device"]')], [], "does not say which"),
    "bad_right_irq": ([domain(rights='["irq 7"]')], [], "numbered from 32"),
    "bad_right_irqs": ([domain(rights='["irq 40 41"]')], [], "one string for each"),
    "bad_right_extra": ([domain(rights='["store work"]'), second()], [], "takes no domains"),
    "bad_static_sum": ([domain(static_mem='["0x60000000,0x1000000"]')], [], "make them equal"),
    "bad_static_text": ([domain(static_mem='["0x60000000"]')], [], "write \"ADDRESS,SIZE\""),
    "bad_static_ram": ([domain(static_mem='["0x10000000,0x4000000"]')], [], "is not all RAM"),
    "bad_static_overlap": ([domain(static_mem='["0x60000000,0x4000000"]'),
                            second(static_mem='["0x62000000,0x4000000"]')], [],
                           "static_mem overlaps that of home"),
    "bad_static_hypervisor": ([domain(static_mem='["0x40000000,0x4000000"]')], [],
                              "overlaps the hypervisor"),
    "bad_assign_path": ([domain(assign='["/nothing@0"]')], [], "the board has no node /nothing@0"),
    "bad_assign_reference": ([domain(direct_map="1", assign='["/pcie@10000000"]')], [],
                             "needs other nodes of the board ("),
    "bad_assign_layout": ([domain(assign='["/pcie@10000000"]')], [],
                          "is taken in the guest's memory map; add direct_map = 1"),
    "bad_assign_gic": ([domain(assign='["/intc@8000000/its@8080000"]')], [],
                       "is an interrupt controller"),
    "bad_assign_shared": ([domain(direct_map="1", assign='["/virtio_mmio@a000000"]'),
                           second(direct_map="1", assign='["/virtio_mmio@a000200"]')], [],
                          "shares a page of registers with /virtio_mmio@a000000 of domain home"),
    "bad_assign_twice": ([domain(direct_map="1", device_tree='"Image"',
                                 assign='["/virtio_mmio@a000000"]')], [],
                         "device_tree: Image is not a compiled device tree"),
    "bad_dtdev": ([domain(dtdev='["/nothing"]')], [], "dtdev: the board has no node /nothing"),

    "bad_board_cut": ([domain()], ["--board", "cut.dtb"], "is not a compiled device tree, or is cut"),
    "bad_board_not_there": ([domain()], ["--board", "nowhere.dtb"], "nowhere.dtb: error: cannot be"),
    "bad_hypervisor": ([domain()], ["--hypervisor", "packed.gz"], "compressed with gzip"),
    "bad_hypervisor_not_there": ([domain()], ["--hypervisor", "nowhere"], "build it with `make`"),
}


def prepare(folder):
    """Files that the cases name, and the tree of a board with 4 CPUs."""
    for name, content in FILES.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    board = os.path.join(folder, "board.dtb")
    subprocess.run(["qemu-system-aarch64", "-M", f"virt,virtualization=on,gic-version=3,dumpdtb={board}",
                    "-cpu", "cortex-a72", "-smp", "4", "-m", "4096", "-nic", "none", "-display", "none"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(board, "rb") as whole, open(os.path.join(folder, "cut.dtb"), "wb") as cut:
        cut.write(whole.read()[:5000])


def run_case(program, folder, case):
    """Run one case; return None if it went as it should, else what went wrong."""
    files, options, expected = case
    names = []
    for number, text in enumerate(files):
        names.append("missing.cfg" if text == "missing" else f"d{number}.cfg")
        if text != "missing":
            with open(os.path.join(folder, names[-1]), "w", encoding="utf-8") as file:
                file.write(text)
    if "--board" not in options:
        options = options + ["--board", "board.dtb"]
    result = subprocess.run([program, "tree", "-o", "out.dtb"] + options + names, cwd=folder,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    said = result.stdout.decode("utf-8", "replace")
    if expected is None:
        if result.returncode or "error" in said:
            return f"refused (status {result.returncode}): {said}"
        dtc = subprocess.run(["dtc", "-I", "dtb", "-O", "dts", "-o", "/dev/null", "out.dtb"],
                             cwd=folder, stderr=subprocess.PIPE, check=False)
        return f"dtc: {dtc.stderr.decode()}" if dtc.returncode else None
    if result.returncode != 1:
        return f"status {result.returncode} instead of 1: {said}"
    if expected not in said:
        return f"did not say `{expected}' but: {said}"
    return None


def main():
    """Run all cases, print TAP."""
    program = os.path.abspath(sys.argv[1])
    print(f"1..{len(CASES)}")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="bulkhead-mistakes-") as folder:
        prepare(folder)
        for number, (name, case) in enumerate(CASES.items(), 1):
            wrong = run_case(program, folder, case)
            failed += wrong is not None
            print(f"{'not ok' if wrong else 'ok'} {number} - tool: {name}")
            for line in (wrong or "").splitlines():
                print(f"# {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
