#!/usr/bin/env python3
'''The includes of host/ against the table in host/README.md that says who may include what.

usage: layers.py [FOLDER] (default: this repository)

Each line of the table has in its first cell a folder (or a file) of host/, and in its last what that may include beside
its own files and `support/`: folders and files that stand in lines above, `all` of these, or `nothing else`.
'''

import os
import pathlib
import re
import sys

INCLUDE = re.compile(r'\s*#\s*include\s*(["<])([^">]+)[">]')


class Row:
    def __init__(self, place, text, cells):
        self.place, self.text = place, text
        self.name = cells[0].strip("`")
        self.allowed = re.findall(r"`([^`]+)`", cells[-1])
        self.all = cells[-1] == "all"


def read_table(readme, name):
    '''The rows in their order, and what is wrong with the table.'''
    rows, wrong = {}, []
    lines = readme.read_text().splitlines()
    if "| folder | holds | may include |" not in lines:
        return rows, [f"{name}:1: there is no table | folder | holds | may include |"]
    first = lines.index("| folder | holds | may include |") + 2
    for number, text in enumerate(lines[first:], first + 1):
        if not text.startswith("|"):
            break
        row = Row(f"{name}:{number}", text, [cell.strip() for cell in text.strip("|").split("|")])
        if not (readme.parent / row.name).exists():
            wrong.append(f"{row.place}: there is no host/{row.name}")
        if not (row.all or row.allowed or text.endswith("| nothing else |")):
            wrong.append(f"{row.place}: say what `{row.name}` may include: names in ``, all, or nothing else")
        for allowed in row.allowed:
            if allowed not in rows and not (row_of(rows, allowed) and (readme.parent / allowed).is_file()):
                wrong.append(f"{row.place}: `{allowed}` is neither a row above this one nor a file of one")
        rows[row.name] = row
    return rows, wrong


def row_of(rows, file):
    '''The row that a file (or a folder) belongs to: the longest name that it begins with.'''
    names = [name for name in rows if file == name or (name.endswith("/") and file.startswith(name))]
    return rows[max(names, key=len)] if names else None


def target(host, file, quote, name):
    '''The included file, relative to host/; None when it is not ours.'''
    folder = file.parent if quote == '"' and (file.parent / name).is_file() else host
    return os.path.relpath(folder / name, host) if quote == '"' or (host / name).is_file() else None


def judge(rows, own, included):
    '''Why the file of row `own` may not include this; None when it may.'''
    row = row_of(rows, included)
    if row is None:
        return "which is not in the table"
    order = list(rows)
    above = order.index(row.name) < order.index(own.name)
    if row is own or row.name == "support/" or (own.all and above):
        return None
    return None if {row.name, included} & set(own.allowed) else "which its row does not allow"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1]).resolve()
    host = root / "host"
    rows, wrong = read_table(host / "README.md", "host/README.md")
    files = sorted(path for path in host.rglob("*") if path.suffix in (".cpp", ".hpp", ".c", ".h"))
    for file in files if rows else []:
        name = file.relative_to(host).as_posix()
        own = row_of(rows, name)
        if own is None:
            wrong.append(f"host/{name}:1: has no row in the table of host/README.md")
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            include = INCLUDE.match(line)
            included = target(host, file, *include.groups()) if include else None
            reason = judge(rows, own, included) if included else None
            if reason:
                wrong.append(f'host/{name}:{number}: includes "{included}", {reason}\n  {own.place}: {own.text}')
    for finding in wrong:
        print(finding)
    print(f"layers: {len(files)} files, {len(rows)} rows, {len(wrong)} findings")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
