#!/usr/bin/env python3
"""Checks the Markdown files: links lead somewhere, and commands exist.

In code blocks and `code`, a line that starts with `filigree` must name subcommands and options that the program's --help
knows, and `make x` a target of the Makefile."""

import argparse
import re
import shlex
import subprocess
from pathlib import Path

import sources

_LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_CODE = re.compile(r"`([^`\n]+)`")
_PLACEHOLDER = re.compile(r"[A-Z]|\.\.\.|…|[|\[<]")


class Program:
    """The built program, asked through --help."""

    def __init__(self, path: Path | None):
        self.path = path
        self._help: dict[tuple[str, ...], str] = {}

    def help(self, words: tuple[str, ...]) -> str:
        if words not in self._help:
            done = subprocess.run([self.path, *words, "--help"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
            self._help[words] = done.stdout if done.returncode == 0 else ""
        return self._help[words]

    def subcommands(self, words: tuple[str, ...]) -> set[str]:
        names, listing = set(), False
        for line in self.help(words).splitlines():
            if re.match(r"(Subcommands|Commands)\b.*:?$", line, re.IGNORECASE):
                listing = True
            elif not line.strip() or not line.startswith(" "):
                listing = False
            elif listing and (match := re.match(r"  ([\w-]+)", line)):
                names.add(match.group(1))
        return names

    def options(self, words: tuple[str, ...]) -> set[str]:
        return set(re.findall(r"--[a-z][\w-]*", self.help(words)))


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    heading = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def anchors(text: str) -> set[str]:
    return {slug(line.lstrip("#")) for line in text.splitlines() if re.match(r"#+ ", line)}


def code_blocks(text: str) -> list[tuple[int, str]]:
    """(line number, line) of lines in fenced blocks, continuation lines joined to the first."""
    lines, inside, held = [], False, None
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            inside = not inside
        elif inside:
            first, before = held or (number, "")
            held = None
            if line.rstrip().endswith("\\"):
                held = (first, before + line.rstrip()[:-1] + " ")
            else:
                lines.append((first, before + line))
    return lines


def check_links(root: Path, file: Path, text: str) -> list[str]:
    problems, inside = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            inside = not inside
        if inside:
            continue
        for target in _LINK.findall(_CODE.sub("", line)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            place = (root / file).parent / path if path else root / file
            if not place.exists():
                problems.append(f"{file}:{number}: the link to '{target}' leads nowhere")
            elif anchor and place.suffix == ".md" and anchor not in anchors(place.read_text()):
                problems.append(f"{file}:{number}: '{path or file}' has no heading '#{anchor}'")
    return problems


def check_filigree(program: Program, words: list[str]) -> str | None:
    """What is wrong with the command 'filigree <words>', if anything."""
    known: tuple[str, ...] = ()
    rest = list(words)
    while rest and not rest[0].startswith("-") and (names := program.subcommands(known)):
        if rest[0] not in names:
            return None if _PLACEHOLDER.search(rest[0]) else f"'filigree {' '.join(known + (rest[0],))}' is not a command"
        known += (rest.pop(0),)
    options = program.options(known)
    for word in rest:
        option = word.split("=")[0]
        if re.fullmatch(r"--[a-z][\w-]*", option) and option not in options:
            return f"'filigree {' '.join(known)}' has no option {option}"
    return None


def check_command(program: Program, targets: set[str], line: str) -> str | None:
    line = re.sub(r"^\s*\$ ", "", line).split(" #")[0].strip()
    for part in re.split(r"\s(?:\||&&|;)\s", line):
        try:
            words = shlex.split(part)
        except ValueError:
            words = part.split()
        if not words:
            continue
        if Path(words[0]).name == "filigree" and program.path:
            if problem := check_filigree(program, words[1:]):
                return problem
        elif words[0] == "make":
            for word in words[1:]:
                if re.fullmatch(r"[a-z][a-z-]*", word) and word not in targets:
                    return f"'make {word}' is not a target of the Makefile"
    return None


def check_commands(program: Program, targets: set[str], file: Path, text: str) -> list[str]:
    commands = code_blocks(text)
    for number, line in enumerate(text.splitlines(), 1):
        commands += [(number, code) for code in _CODE.findall(line)]
    found = ((number, check_command(program, targets, line)) for number, line in commands)
    return [f"{file}:{number}: {problem}" for number, problem in found if problem]


def check(root: Path, program: Program) -> tuple[list[str], int]:
    makefile = root / "Makefile"
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile.read_text(), re.M)) if makefile.exists() else set()
    files = [file for file in sources.project_files(root) if file.suffix == ".md"]
    problems = []
    for file in files:
        text = (root / file).read_text()
        problems += check_links(root, file, text) + check_commands(program, targets, file, text)
    return problems, len(files)


def main() -> int:
    root = Path(__file__).parent.parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=root)
    parser.add_argument("--program", type=Path, help="the built filigree; without it its commands are not checked")
    arguments = parser.parse_args()
    if arguments.program and not arguments.program.is_file():
        return sources.finish("docs", [f"{arguments.program} is not there; 'make build' makes it"], "")
    problems, count = check(arguments.root, Program(arguments.program and arguments.program.resolve()))
    return sources.finish("docs", problems, f"{count} files: links and commands exist")


if __name__ == "__main__":
    raise SystemExit(main())
