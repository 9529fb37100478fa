#!/usr/bin/env python3
"""Writes each hex-text fixture of a folder as the bytes that it stands for: hex_to_corpus.py FIXTURES CORPUS"""

import pathlib
import sys


def main() -> None:
    fixtures, corpus = (pathlib.Path(argument) for argument in sys.argv[1:])
    corpus.mkdir(parents=True, exist_ok=True)
    for fixture in sorted(fixtures.glob("*.hex")):
        lines = fixture.read_text(encoding="utf-8").splitlines()
        text = " ".join(line for line in lines if not line.startswith("#"))
        (corpus / fixture.stem).write_bytes(bytes.fromhex(text))


if __name__ == "__main__":
    main()
