#!/usr/bin/env python3
'''clang-tidy over what ships (not the tests) of a build folder, two at a time, remembering what passed.

usage: tidy.py BUILD_FOLDER (configured and built)

A unit is skipped when it passed before with the same checks, the same command line and the same content of every file
that it includes. What passed is remembered as empty files in BUILD_FOLDER/tidy, named by the hash of all that.
'''

import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]


@functools.lru_cache(maxsize=None)
def file_hash(path):
    return hashlib.sha256(path.read_bytes()).digest()


def included_files(build):
    '''For each object file what it was made from, as ninja recorded it.'''
    output = subprocess.run(["ninja", "-C", build, "-t", "deps"], check=True, capture_output=True, text=True).stdout
    files = {}
    for block in output.split("\n\n"):
        head, *lines = block.strip("\n").split("\n")
        match = re.match(r"(.*): #deps \d+", head)
        if match:
            files[match[1]] = [line.strip() for line in lines]
    return files


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    passed = build / "tidy"
    passed.mkdir(exist_ok=True)
    rules = file_hash(REPOSITORY / ".clang-tidy")
    version = subprocess.run(["clang-tidy", "--version"], check=True, capture_output=True).stdout
    included = included_files(build)

    units = {}  # one command per file is enough
    for command in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(command["file"])
        if file.suffix in (".cpp", ".c") and not file.is_relative_to(REPOSITORY / "tests"):
            units.setdefault(command["file"], command)

    # clang does not know all options of g++.
    for command in units.values():
        command["command"] = re.sub(r" (-fno-gnu-unique|-mmem\w+-strategy=\S+)", "", command["command"])
    (passed / "compile_commands.json").write_text(json.dumps(list(units.values())))

    def check(item):
        file, command = item
        digest = hashlib.sha256(rules + version + command["command"].encode())
        output = re.search(r" -o (\S+) ", command["command"])[1]
        for name in included.get(output, [file]):
            digest.update(file_hash((build / name).resolve()))
        mark = passed / digest.hexdigest()
        if mark.exists():
            return file, True, ""
        done = subprocess.run(["clang-tidy", "--quiet", "-p", passed, file], capture_output=True, text=True)
        if done.returncode == 0:
            mark.touch()
        return file, False, "" if done.returncode == 0 else done.stdout + done.stderr

    skipped = failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for file, known, findings in pool.map(check, sorted(units.items())):
            skipped += known
            if findings:
                failed += 1
                print(f"{os.path.relpath(file, REPOSITORY)}:\n{findings}", flush=True)
    print(f"clang-tidy: {len(units)} files, {skipped} unchanged since they passed, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
