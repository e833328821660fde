#!/usr/bin/env python3
"""Checks tracked text for what belongs to one machine: absolute paths of home and scratch folders, and paths that leave
the checkout. The reference cases may lie beside the checkout; only tests and CMake's default name that place."""

import argparse
import re
from pathlib import Path

import sources

_MACHINE_PATH = re.compile(r"(?<![\w.~*$})-])/(?:home|root|work|tmp|Users|workspace)/[\w.]")
_OUTSIDE = re.compile(r"\.\./shared\b")
_MAY_NAME_REFERENCE = ("tests/", "cmake/FiligreeOptions.cmake")


def check_line(file: Path, line: str) -> str | None:
    if match := _MACHINE_PATH.search(line):
        return f"names a place of one machine ('{match.group()}…'); use a relative path or a temporary folder"
    if _OUTSIDE.search(line) and not str(file).startswith(_MAY_NAME_REFERENCE):
        return "leaves the checkout; read the environment variable FILIGREE_REFERENCE"
    if line.endswith("\r"):
        return "ends with a carriage return; use plain line breaks"
    return None


def check(root: Path) -> tuple[list[str], int]:
    problems, count = [], 0
    for file in sources.project_files(root):
        data = (root / file).read_bytes()
        if b"\0" in data[:8192]:
            continue  # not text
        count += 1
        for number, line in enumerate(data.decode("utf-8", errors="replace").split("\n"), 1):
            if problem := check_line(file, line):
                problems.append(f"{file}:{number}: {problem}")
    return problems, count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parent.parent)
    problems, count = check(parser.parse_args().root)
    return sources.finish("text", problems, f"{count} files name no place of one machine")


if __name__ == "__main__":
    raise SystemExit(main())
