#!/usr/bin/env python3
'''The ABI's header alone, compiled as C11 for machines of 32 and 64 bits: none of its structs has padding anywhere.

usage: layouts.py [INCLUDE_FOLDER] (default: sdk/include of this repository)

Nothing is linked or run, so that no other machine's C library is needed. The alignment of uint64_t is 4 on the i386 and
8 on 32-bit ARM and MIPS: a struct whose layout depends on it has padding on one of them.
'''

import pathlib
import platform
import subprocess
import sys

TARGETS = {
    "gcc, this machine": ["gcc"],
    **({"gcc -m32": ["gcc", "-m32"]} if platform.machine() == "x86_64" else {}),
    **{f"clang, {triple}": ["clang", "-target", triple] for triple in (
        "x86_64-linux-gnu", "i386-linux-gnu", "armv7-linux-gnueabihf", "aarch64-linux-gnu", "mipsel-linux-gnu")},
}
FLAGS = ["-std=c11", "-ffreestanding", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wpadded", "-Werror"]


def compile_for(compiler, include):
    '''What the compiler says; None when it is content.'''
    command = [*compiler, *FLAGS, "-I", include, "-x", "c", "-"]
    done = subprocess.run(command, input="#include <nfbus/abi.h>\n", text=True, capture_output=True)
    return done.stderr if done.returncode else None


def main():
    root = pathlib.Path(__file__).resolve().parents[1]
    include = sys.argv[1] if len(sys.argv) > 1 else root / "sdk/include"
    wrong = 0
    for name, compiler in TARGETS.items():
        said = compile_for(compiler, include)
        if said is not None:
            wrong += 1
            print(f"{name}:\n{said.rstrip()}")
    print(f"layouts: {len(TARGETS)} targets, {wrong} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
