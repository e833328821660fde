#!/usr/bin/env python3
"""Checks every #include against cmake/layers.txt: the direction between folders, and who may use which library."""

import argparse
import re
from pathlib import Path

import sources


def read_layers(path: Path) -> tuple[dict[str, set[str]], dict[str, set[str]], dict[str, list[str]]]:
    """Returns (folders each folder may use, libraries each folder may use, header prefixes of each library)."""
    folders: dict[str, set[str]] = {}
    libraries: dict[str, set[str]] = {}
    prefixes: dict[str, list[str]] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, separator, rest = line.partition(":")
        if not separator:
            raise ValueError(f"{path}:{number}: expected '<folder>: <what it may use>'")
        if name.startswith("@"):
            prefixes[name[1:]] = rest.split()
            continue
        folders[name] = {word for word in rest.split() if not word.startswith("@")}
        libraries[name] = {word[1:] for word in rest.split() if word.startswith("@")}
    return folders, libraries, prefixes


def layer_of(file: Path) -> str:
    """src/base/error.h -> base; app/cli/main.cpp -> app/cli; tests/base/x_test.cpp -> tests."""
    if file.parts[0] == "src":
        return file.parts[1] if len(file.parts) > 2 else "src"
    if file.parts[0] == "app":
        return "/".join(file.parts[:2])
    return file.parts[0]


def check_file(root: Path, file: Path, layers) -> list[str]:
    folders, libraries, prefixes = layers
    layer = layer_of(file)
    if layer not in folders:
        return [f"{file}: the folder '{layer}' is not in cmake/layers.txt; add a line that says what it may use"]
    src_folders = {path.name for path in (root / "src").iterdir() if path.is_dir()} | {"base"}
    allowed = folders[layer] | {layer} | (src_folders if "all" in folders[layer] else set())
    problems = []
    for number, line in enumerate((root / file).read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        kind, header = match.groups()
        where = f"{file}:{number}"
        if header.startswith(".") or "/../" in header:
            problems.append(f'{where}: include "{header}" from the include root src/, not by a relative path')
            continue
        first = header.split("/")[0]
        if kind == '"' and "/" in header and first in src_folders and first not in allowed:
            problems.append(f"{where}: {layer} must not include {first} (\"{header}\"); cmake/layers.txt has who may use which")
        for library, starts in prefixes.items():
            if any(header.startswith(start) for start in starts) and library not in libraries[layer]:
                problems.append(f"{where}: {layer} must not use {library} (<{header}>); cmake/layers.txt has who may use which")
    return problems


def check(root: Path) -> tuple[list[str], int]:
    layers = read_layers(root / "cmake/layers.txt")
    files = sources.cpp_files(root)
    return [problem for file in files for problem in check_file(root, file, layers)], len(files)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parent.parent)
    problems, count = check(parser.parse_args().root)
    return sources.finish("includes", problems, f"{count} files keep to cmake/layers.txt")


if __name__ == "__main__":
    raise SystemExit(main())
