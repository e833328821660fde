#!/usr/bin/env python3
"""Compares the flags that CMake gives the compiler, in build/release/compile_commands.json, with tools/frozen_flags.txt.

A flag or definition that nobody decided on is an error, and so is one that is listed but gone."""

import argparse
import json
import shlex
from pathlib import Path

import sources

_WITH_VALUE = {"-I", "-isystem", "-include", "-o", "-c", "-x", "-MF", "-MT", "-MQ"}
_ABOUT_FILES = ("-I", "-o", "-c", "-MD", "-MMD", "-MF", "-MT")


def flags_of(command: str) -> list[str]:
    """Flags of one compiler command, without those that only name files."""
    words = shlex.split(command)
    first_flag = next(index for index, word in enumerate(words) if word.startswith("-") and word != "-E")
    flags, skip = [], False
    for word in words[first_flag:]:
        if skip:
            skip = False
        elif word in _WITH_VALUE:
            skip = True
        elif word.startswith("-") and not word.startswith(_ABOUT_FILES):
            flags.append(word)
    return flags


def read_frozen(path: Path) -> tuple[set[str], set[str]]:
    """(flags of every file, flags of some files)."""
    groups: dict[str, set[str]] = {"every": set(), "some": set()}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or words[0] not in groups:
            raise ValueError(f"{path}:{number}: expected 'every <flag>' or 'some <flag>'")
        groups[words[0]].add(words[1])
    return groups["every"], groups["some"]


def compare(root: Path, commands: list[dict], every: set[str], some: set[str]) -> list[str]:
    problems, seen = [], set()
    for entry in commands:
        flags = set(flags_of(entry["command"].replace(str(root), "<checkout>")))
        seen |= flags
        for flag in sorted(flags - every - some):
            problems.append(f"{entry['file']}: compiled with {flag}, which tools/frozen_flags.txt does not list")
        for flag in sorted(every - flags):
            problems.append(f"{entry['file']}: compiled without {flag}, which tools/frozen_flags.txt wants for every file")
    problems += [f"tools/frozen_flags.txt: no file is compiled with {flag} (any more)" for flag in sorted(some - seen)]
    return problems


def main() -> int:
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", nargs="?", type=Path, default=root / "build/release/compile_commands.json")
    parser.add_argument("frozen", nargs="?", type=Path, default=root / "tools/frozen_flags.txt")
    arguments = parser.parse_args()
    commands = json.loads(arguments.commands.read_text())
    every, some = read_frozen(arguments.frozen)
    return sources.finish("flags", compare(root.resolve(), commands, every, some), f"{len(commands)} files are compiled with the frozen flags")


if __name__ == "__main__":
    raise SystemExit(main())
