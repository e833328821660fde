"""Each check of tools/ must refuse a bad sample and accept a good one."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import check_docs  # noqa: E402
import check_flags  # noqa: E402
import check_includes  # noqa: E402
import check_sizes  # noqa: E402
import check_text  # noqa: E402
import sources  # noqa: E402


class Sample(unittest.TestCase):
    """A small project in a temporary folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def assert_problem(self, problems: list[str], *words: str):
        self.assertEqual(len(problems), 1, problems)
        for word in words:
            self.assertIn(word, problems[0])


class IncludesTest(Sample):
    def setUp(self):
        super().setUp()
        self.write("cmake/layers.txt", "base: @fmt\nplan: base\ntests: all @gtest\n@fmt: fmt/\n@gtest: gtest/\n@torch: torch/ ATen/\n")
        self.write("src/base/error.h", "#include <fmt/format.h>\n#include <string>\n")
        self.write("src/plan/cost.h", '#include "base/error.h"\n#include "plan/layer.h"\n// #include "app/main.h"\n')
        self.write("tests/plan/cost_test.cpp", '#include <gtest/gtest.h>\n#include "plan/cost.h"\n')

    def problems(self) -> list[str]:
        return check_includes.check(self.root)[0]

    def test_accepts_allowed_includes(self):
        self.assertEqual(self.problems(), [])

    def test_refuses_wrong_direction(self):
        self.write("src/base/bad.cpp", '#include "base/error.h"\n#include "plan/cost.h"\n')
        self.assert_problem(self.problems(), "src/base/bad.cpp:2", "base must not include plan")

    def test_refuses_library_of_others(self):
        self.write("src/plan/bad.cpp", "#include <ATen/ATen.h>\n")
        self.assert_problem(self.problems(), "plan must not use torch")

    def test_refuses_relative_path(self):
        self.write("src/plan/bad.cpp", '#include "../base/error.h"\n')
        self.assert_problem(self.problems(), "relative path")

    def test_refuses_unknown_folder(self):
        self.write("src/moe/router.h", "")
        self.assert_problem(self.problems(), "'moe' is not in cmake/layers.txt")


class SizesTest(Sample):
    def functions(self, text: str) -> list[tuple[str, int, int]]:
        return [(f.name, f.lines, f.parameters) for f in check_sizes.find_functions(text)]

    def test_finds_functions(self):
        text = """
namespace a::b {
template <class T, class U = std::pair<int, int>>
T one(const std::map<int, T>& x, std::function<void(int, int)> f = {}) {
  if (x.empty()) { return {}; }
  return [&](int, int) { return '{'; }();
}
struct S : Base {
  S(int a, int b) : a_{a}, b_(b) {
    // }
  }
  bool operator()(int x) const noexcept { return "}" != text; }
  bool operator==(const S& other) const = default;
  int a_ = 3, b_{4};
};
constexpr int table[] = {1, 2, f(3)};
auto S::two() -> int {
  return 1'000;
}
enum class E { a, b };
const auto lambda = [](int x) {
  return x;
};
}
"""
        self.assertEqual(self.functions(text), [("one", 5, 2), ("S", 3, 2), ("operator()", 1, 1), ("S::two", 3, 0)])

    def test_counts_lines_and_parameters(self):
        self.write("src/a.cpp", "int f(int a, int b, int c, int d, int e) {\n" + "  g();\n" * 58 + "}\n")
        self.assertEqual(check_sizes.check(self.root)[0], [])

    def test_refuses_long_function(self):
        self.write("src/a.cpp", "int f() {\n" + "  g();\n" * 59 + "}\n")
        self.assert_problem(check_sizes.check(self.root)[0], "f has 61 lines, more than 60")

    def test_refuses_many_parameters(self):
        self.write("src/a.cpp", "int f(int a, int b, int c,\n int d, int e, int g) {\n}\n")
        self.assert_problem(check_sizes.check(self.root)[0], "f has 6 parameters, more than 5")

    def test_refuses_long_file(self):
        self.write("src/a.cpp", "int a;\n" * 501)
        self.assert_problem(check_sizes.check(self.root)[0], "src/a.cpp: 501 lines")

    def test_exception_needs_a_reason_and_a_use(self):
        self.write("src/a.cpp", "int a;\n" * 501)
        self.write("tools/size_exceptions.txt", "src/a.cpp: a table of published values\n")
        self.assertEqual(check_sizes.check(self.root)[0], [])
        self.write("src/a.cpp", "int a;\n")
        self.assert_problem(check_sizes.check(self.root)[0], "'src/a.cpp' is not needed")
        self.write("tools/size_exceptions.txt", "src/a.cpp:\n")
        with self.assertRaisesRegex(ValueError, "<reason>"):
            check_sizes.check(self.root)


class TextTest(Sample):
    def problems(self) -> list[str]:
        return check_text.check(self.root)[0]

    def test_accepts_plain_text(self):
        self.write("a.md", "See docs/work/x.md, https://example.org/home/x and $HOME/work/x.\n")
        self.assertEqual(self.problems(), [])

    def test_refuses_machine_paths(self):
        for path in ("/" + "work/main", "/" + "home/someone", "/" + "tmp/x"):
            self.write("a.md", f"as in {path}/file\n")
            self.assert_problem(self.problems(), "a.md:1", "one machine")

    def test_refuses_paths_out_of_the_checkout(self):
        line = "read ../" + "shared/reference\n"
        self.write("tests/a.cpp", line)
        self.assertEqual(self.problems(), [])
        self.write("src/a.cpp", line)
        self.assert_problem(self.problems(), "src/a.cpp:1", "leaves the checkout")

    def test_refuses_carriage_returns(self):
        (self.root / "a.txt").write_bytes(b"one\r\ntwo\n")
        self.assert_problem(self.problems(), "carriage return")


class FlagsTest(Sample):
    COMMAND = "/usr/bin/cmake -E env A=b ccache /usr/bin/c++ -DX=1 -I/src -isystem /usr/include/x -O3 -Wall -o a.o -c a.cpp"

    def compare(self, command: str) -> list[str]:
        return check_flags.compare(self.root, [{"file": "a.cpp", "command": command}], {"-O3", "-Wall"}, {"-DX=1"})

    def test_accepts_frozen_flags(self):
        self.assertEqual(self.compare(self.COMMAND), [])

    def test_refuses_new_flag(self):
        self.assert_problem(self.compare(self.COMMAND + " -ffast-math"), "compiled with -ffast-math")

    def test_refuses_lost_flag(self):
        self.assert_problem(self.compare(self.COMMAND.replace(" -Wall", "")), "compiled without -Wall")

    def test_refuses_stale_list(self):
        self.assert_problem(self.compare(self.COMMAND.replace(" -DX=1", "")), "no file is compiled with -DX=1")

    def test_runs_from_the_command_line(self):
        commands = self.write("compile_commands.json", json.dumps([{"file": "a.cpp", "command": self.COMMAND + " -g"}]))
        frozen = self.write("frozen.txt", "every -O3\nevery -Wall # reason\nsome -DX=1\n")
        done = subprocess.run([sys.executable, "-B", ROOT / "tools/check_flags.py", commands, frozen], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("compiled with -g", done.stderr)


class DocsTest(Sample):
    def setUp(self):
        super().setUp()
        self.write("Makefile", "demo: build\n\techo\nbuild:\n\techo\n")
        self.write("docs/plan.md", "# Plan it\n## How `search` works\n")
        program = self.write(
            "filigree",
            """#!/bin/sh
case "$*" in
  --help) printf 'Usage: filigree\\n\\nOptions:\\n  -h,--help\\n\\nSubcommands:\\n  plan   Plan a run\\n  version  Tell\\n' ;;
  'plan --help') printf 'Options:\\n  --json\\n\\nSubcommands:\\n  search  Search\\n' ;;
  'plan search --help') printf 'Options:\\n  --model TEXT   x\\n  --top INT\\n' ;;
  *) exit 2 ;;
esac
""",
        )
        program.chmod(0o755)

    def problems(self, text: str) -> list[str]:
        self.write("README.md", text)
        return check_docs.check(self.root, check_docs.Program(self.root / "filigree"))[0]

    def test_accepts_what_exists(self):
        self.assertEqual(
            self.problems(
                "[plan](docs/plan.md#how-search-works), [web](https://example.org), `filigree plan`, `filigree plan …`\n"
                "```sh\nmake demo\nbuild/release/bin/filigree plan search --model recipes/x.json \\\n  --top=3 | head\n```\n"
            ),
            [],
        )

    def test_refuses_dead_link(self):
        self.assert_problem(self.problems("[plan](docs/none.md)\n"), "README.md:1", "leads nowhere")

    def test_refuses_dead_anchor(self):
        self.assert_problem(self.problems("[plan](docs/plan.md#none)\n"), "no heading '#none'")

    def test_refuses_unknown_command(self):
        self.assert_problem(self.problems("```sh\n\nfiligree plan serach --top 3\n```\n"), "README.md:3", "'filigree plan serach' is not a command")
        self.assert_problem(self.problems("Use `filigree train`.\n"), "'filigree train' is not a command")

    def test_refuses_unknown_option(self):
        self.assert_problem(self.problems("```sh\nfiligree plan search \\\n  --shapes x\n```\n"), "README.md:2", "no option --shapes")

    def test_refuses_unknown_make_target(self):
        self.assert_problem(self.problems("`make dmeo`\n"), "'make dmeo' is not a target")


class SourcesTest(unittest.TestCase):
    def test_strip_keeps_lines(self):
        text = 'a /* {\n */ b // }\nR"(\n{)" "\\"{" \'{\' 1\'000\n'
        stripped = sources.strip_cpp(text)
        self.assertEqual(stripped.count("\n"), text.count("\n"))
        self.assertNotIn("{", stripped)
        self.assertIn("1'000", stripped)


if __name__ == "__main__":
    unittest.main()
