#!/usr/bin/env python3
"""Checks sizes: files of at most 500 lines, functions of at most 60 lines and five parameters.

What has to be larger is listed in tools/size_exceptions.txt as '<file>: <reason>' or '<file>:<function>: <reason>'.
Functions are found by their braces, not by a parser; this takes a second instead of a minute.
"""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

import sources

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 5

_SCOPE = re.compile(r'\b(namespace|class|struct|union|enum|extern)\b')
_NAME = re.compile(r"((?:~?\w+(?:<[^<>]*>)?::)*(?:operator\s*[^\s\w(]+|operator\s*\(\s*\)|operator\s+[\w:]+|~?\w+))\s*\(")
_NOT_NAMES = {"if", "for", "while", "switch", "catch", "return", "decltype", "alignas", "noexcept", "requires", "sizeof",
              "explicit", "__attribute__", "static_assert"}


@dataclass
class Function:
    name: str
    first_line: int
    last_line: int
    parameters: int

    @property
    def lines(self) -> int:
        return self.last_line - self.first_line + 1


def matching_end(text: str, start: int, pair: str) -> int:
    """Index just after the bracket that closes the one at start."""
    depth = 0
    for index in range(start, len(text)):
        depth += (text[index] == pair[0]) - (text[index] == pair[1])
        if depth == 0:
            return index + 1
    return len(text)


def parse_signature(statement: str) -> tuple[str, int] | None:
    """(name, number of parameters) if the text before a brace starts a function, else None."""
    statement = re.sub(r"^\s*template\s*<", "<", statement)
    if statement.lstrip().startswith("<"):
        start = statement.index("<")
        statement = statement[matching_end(statement, start, "<>"):]
    for match in _NAME.finditer(statement):
        if match.group(1) in _NOT_NAMES:
            continue
        before = statement[: match.start()]
        if "=" in before and "operator" not in match.group(1):
            return None  # an initializer, or a lambda that is measured with what holds it
        open_at = match.end() - 1
        inside = statement[open_at + 1 : matching_end(statement, open_at, "()") - 1]
        return match.group(1).strip(), count_parameters(inside)
    return None


def count_parameters(inside: str) -> int:
    if inside.strip() in ("", "void"):
        return 0
    depth, commas = 0, 0
    for character in inside:
        depth += character in "(<[{"
        depth -= character in ")>]}"
        commas += character == "," and depth == 0
    return commas + 1


def opens_initializer(statement: str) -> bool:
    """Whether the brace after this text only initializes a member, in 'Foo() : a_{1}, b_{2} {'."""
    return re.search(r"\)\s*(?:noexcept\s*)?:(?!:)(?:[^:]|::)*[\w>]\s*$", statement) is not None


def find_functions(text: str) -> list[Function]:
    """Functions with a body, at namespace or class level."""
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m.group().count("\n"), sources.strip_cpp(text), flags=re.M)
    functions = []
    position, line, start, parentheses = 0, 1, 0, 0
    while position < len(text):
        character = text[position]
        parentheses += (character == "(") - (character == ")")
        if character in ";}" and parentheses == 0:
            start = position + 1
        elif character == "{" and parentheses > 0:
            position = matching_end(text, position, "{}") - 1  # a default argument
        elif character == "{":
            statement = text[start:position]
            if opens_initializer(statement):
                position = matching_end(text, position, "{}") - 1
            elif signature := parse_signature(statement):
                end = matching_end(text, position, "{}")
                first = text.count("\n", 0, start + len(statement) - len(statement.lstrip())) + 1
                functions.append(Function(signature[0], first, text.count("\n", 0, end) + 1, signature[1]))
                position, start = end - 1, end
            elif _SCOPE.search(statement) and "=" not in statement:
                start = position + 1
            else:
                position = matching_end(text, position, "{}") - 1  # an initializer
        position += 1
    return functions


def check(root: Path) -> tuple[list[str], str]:
    exceptions = sources.read_exceptions(root / "tools/size_exceptions.txt")
    used, problems, measured, longest_file, longest_function = set(), [], 0, (0, ""), (0, "")

    def judge(key: str, problem: str) -> None:
        if key in exceptions:
            used.add(key)
        else:
            problems.append(f"{problem}; divide it, or list '{key}' with a reason in tools/size_exceptions.txt")

    files = sources.cpp_files(root)
    for file in files:
        text = (root / file).read_text()
        lines = text.count("\n")
        longest_file = max(longest_file, (lines, str(file)))
        if lines > MAX_FILE_LINES:
            judge(str(file), f"{file}: {lines} lines, more than {MAX_FILE_LINES}")
        for function in find_functions(text):
            measured += 1
            key = f"{file}:{function.name}"
            longest_function = max(longest_function, (function.lines, key))
            if function.lines > MAX_FUNCTION_LINES:
                judge(key, f"{file}:{function.first_line}: {function.name} has {function.lines} lines, more than {MAX_FUNCTION_LINES}")
            if function.parameters > MAX_PARAMETERS:
                judge(key, f"{file}:{function.first_line}: {function.name} has {function.parameters} parameters, more than {MAX_PARAMETERS}")
    problems += [f"tools/size_exceptions.txt: '{key}' is not needed (any more); remove it" for key in exceptions if key not in used]
    summary = (f"{len(files)} files, {measured} functions; longest file {longest_file[1]} ({longest_file[0]} lines), "
               f"longest function {longest_function[1]} ({longest_function[0]} lines)")
    return problems, summary


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parent.parent)
    problems, summary = check(parser.parse_args().root)
    return sources.finish("sizes", problems, summary)


if __name__ == "__main__":
    raise SystemExit(main())
