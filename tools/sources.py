"""What the checks share: the list of the project's files, C++ text without comments and strings, and reporting.

As a program it prints the C++ files, of the given folders only if there are any."""

import re
import subprocess
import sys
from pathlib import Path

CPP_SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}


def project_files(root: Path) -> list[Path]:
    """Files of the project relative to root: what git tracks or would track; without git, all files."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = sorted(set(listed.stdout.decode().split("\0")) - {""})
        files = [Path(name) for name in names]
    else:
        files = sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())
        files = [file for file in files if file.parts[0] not in ("build", ".git", "out")]
    return [file for file in files if (root / file).is_file() and not (root / file).is_symlink()]


def cpp_files(root: Path) -> list[Path]:
    return [file for file in project_files(root) if file.suffix in CPP_SUFFIXES]


_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/            # comments
      | R"(?P<tag>[^()\\ ]{0,16})\(.*?\)(?P=tag)"   # raw strings
      | "(?:\\.|[^"\\\n])*"           # strings
      | (?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'        # characters, but not the digit separator of 1'000
    """,
    re.VERBOSE | re.DOTALL,
)


def strip_cpp(text: str) -> str:
    """C++ text with comments gone and literals empty; line breaks stay, so that line numbers hold."""

    def replacement(match: re.Match) -> str:
        found = match.group()
        kept = "" if found.startswith("/") else '""' if '"' in found[:20] and found[0] != "'" else "' '"
        return kept + "\n" * found.count("\n")

    return _TOKEN.sub(replacement, text)


def read_exceptions(path: Path) -> dict[str, str]:
    """Lines '<key>: <reason>' of an exceptions file. Raises ValueError for one without a reason."""
    exceptions = {}
    if not path.exists():
        return exceptions
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        key, separator, reason = line.partition(": ")
        if not separator or len(reason.split()) < 3:
            raise ValueError(f"{path}:{number}: give '<what>: <reason>', not '{line}'")
        exceptions[key.strip()] = reason.strip()
    return exceptions


def finish(name: str, problems: list[str], summary: str) -> int:
    """Prints the problems or the summary; returns the exit code."""
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(f"{name}: {len(problems)} problem{'s' if len(problems) != 1 else ''}", file=sys.stderr)
        return 1
    print(f"{name}: {summary}")
    return 0


def main() -> None:
    folders = tuple(folder.rstrip("/") + "/" for folder in sys.argv[1:]) or ("",)
    for file in cpp_files(Path(__file__).resolve().parent.parent):
        if str(file).startswith(folders):
            print(file)


if __name__ == "__main__":
    main()
