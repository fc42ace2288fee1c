#!/usr/bin/python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Verifies the klp relocations of the livepatches loaded now, the way a good script would: the files of the patches in
the folder named, /proc/kallsyms, /sys/module and /proc/kcore, each read once. x86-64 only.

Writes a line for each relocation: patch, section, index, verdict. `cargo xtask bench audit` holds klp-trace audit
against it: the same answers, and the time.
"""

import os
import struct
import sys

SHT_SYMTAB = 2
SHF_RELA_LIVEPATCH = 0x00100000
SHN_UNDEF = 0
# Type: bytes written, whether the value counts from its place (arch/x86/kernel/module.c).
TYPES = {1: (8, False), 2: (4, True), 4: (4, True), 10: (4, False), 11: (4, False), 24: (8, True)}


def text(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return None


class Elf:
    """What is needed of a relocatable ELF file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        shoff, = struct.unpack_from("<Q", self.data, 40)
        count, names = struct.unpack_from("<HH", self.data, 60)
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", self.data, shoff + 64 * n) for n in range(count)]
        self.names = [self.string(self.sections[names], section[0]) for section in self.sections]

    def string(self, section, at):
        start = section[4] + at
        return self.data[start : self.data.index(b"\0", start)].decode()

    def bytes(self, section):
        return self.data[section[4] : section[4] + section[5]]

    def symbols(self):
        """By index, the names."""
        table = next(section for section in self.sections if section[1] == SHT_SYMTAB)
        strings = self.sections[table[6]]
        return [self.string(strings, symbol[0]) for symbol in struct.iter_unpack("<IBBHQQ", self.bytes(table))]

    def klp(self):
        """The livepatch sections: name, name of what they relocate, entries."""
        for number, section in enumerate(self.sections):
            if section[2] & SHF_RELA_LIVEPATCH:
                yield self.names[number], self.names[section[7]], struct.iter_unpack("<QIIq", self.bytes(section))


def livepatches():
    for name in sorted(os.listdir("/sys/module")):
        if "K" in (text(f"/sys/module/{name}/taint") or ""):
            yield name


def kallsyms(wanted):
    """The addresses of the symbols wanted, by object and name, in the kernel's order; and what it has of .klp.sym."""
    found = {}
    recorded = {}
    with open("/proc/kallsyms") as file:
        for line in file:
            words = line.split()
            name = words[2]
            owner = words[3][1:-1] if len(words) > 3 else "vmlinux"
            if (owner, name) in wanted:
                found.setdefault((owner, name), []).append(int(words[0], 16))
            elif name.startswith(".klp.sym."):
                recorded[owner, name] = int(words[0], 16)
    return found, recorded


class Kcore:
    def __init__(self):
        self.file = os.open("/proc/kcore", os.O_RDONLY)
        head = os.pread(self.file, 64, 0)
        phoff, = struct.unpack_from("<Q", head, 32)
        count, = struct.unpack_from("<H", head, 56)
        table = os.pread(self.file, 56 * count, phoff)
        entries = struct.iter_unpack("<IIQQQQQQ", table)
        self.segments = [(entry[3], entry[6], entry[2]) for entry in entries if entry[0] == 1]

    def read(self, address, size):
        for start, length, offset in self.segments:
            if start <= address < start + length:
                return os.pread(self.file, size, offset + address - start)
        return b""


def parse(symbol):
    """Object, name and sympos of .klp.sym.<object>.<name>,<sympos>."""
    object, rest = symbol[len(".klp.sym.") :].split(".", 1)
    name, sympos = rest.rsplit(",", 1)
    return object, name, int(sympos)


def main(folder):
    patches = [(name, Elf(f"{folder}/{name}.ko")) for name in livepatches()]
    symbols = {name: elf.symbols() for name, elf in patches}
    parsed = {}
    for names in symbols.values():
        for name in names:
            if name.startswith(".klp.sym.") and name not in parsed:
                parsed[name] = parse(name)
    found, recorded = kallsyms({(object, name) for object, name, _ in parsed.values()})
    resolved = {}
    for symbol, (object, name, sympos) in parsed.items():
        addresses = found.get((object, name), [])
        if sympos:
            resolved[symbol] = addresses[sympos - 1] if sympos <= len(addresses) else None
        else:
            resolved[symbol] = addresses[0] if len(addresses) == 1 else None
    kcore = Kcore()
    memory = {}
    lines = []
    for patch, elf in patches:
        for section, target, entries in elf.klp():
            object = section[len(".klp.rela.") :].split(".", 1)[0]
            present = object == "vmlinux" or text(f"/sys/module/{object}/initstate") == "live"
            base = int(text(f"/sys/module/{patch}/sections/{target}"), 16)
            if (patch, target) not in memory:
                size = elf.sections[elf.names.index(target)][5]
                memory[patch, target] = kcore.read(base, size)
            held = memory[patch, target]
            names = symbols[patch]
            for index, (offset, rtype, symbol, addend) in enumerate(entries):
                if rtype == 0:
                    continue
                size, from_place = TYPES[rtype]
                actual = int.from_bytes(held[offset : offset + size], "little")
                name = names[symbol]
                if present:
                    value = resolved[name]
                    if value is None:
                        verdict = "unknown"
                    else:
                        value += addend - (base + offset if from_place else 0)
                        if actual == value & ((1 << (8 * size)) - 1):
                            verdict = "applied"
                        else:
                            verdict = "mismatch" if actual else "missing"
                elif actual:
                    verdict = "stale"
                else:
                    verdict = "cleared" if recorded.get((patch, name)) else "pending"
                lines.append(f"{patch} {section} {index} {verdict}\n")
    sys.stdout.write("".join(lines))


if __name__ == "__main__":
    main(sys.argv[1])
