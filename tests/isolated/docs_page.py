"""Run the examples of one page of documentation, in order, in one namespace. usage: docs_page.py PAGE

The working directory has the captures that the page names. Three kinds of blocks are run:

  ```python    with prompts (>>>): a doctest, its output compared
               without: executed; where a line is an expression with a comment that starts with a literal,
               the expression must have that value
  ```console   each `$ command` is run by sh, and the lines under it are what it prints ("..." stands for anything)

Prints what differs; the last line is the number of examples that ran, or the exit status is 1.
"""

from __future__ import annotations

import ast
import doctest
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
NOTHING = object()


def blocks(text: str) -> Iterator[tuple[str, int, str]]:
    """Language, line number and text of each fenced block."""
    for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield match[1], text.count("\n", 0, match.start()) + 2, match[2]


def claimed(comment: str) -> Any:
    """The literal that a comment starts with: `# 7`, `# 'a': the first value`."""
    for text in (comment, comment.partition(": ")[0]):
        try:
            return ast.literal_eval(text.strip())
        except (SyntaxError, ValueError):
            continue
    return NOTHING


class Claims(ast.NodeTransformer):
    """Turns `expression   # literal` into a comparison of the two."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.count = 0

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        end = node.end_lineno or node.lineno
        before, hash_sign, comment = self.lines[end - 1][node.end_col_offset or 0 :].partition("#")
        value = claimed(comment) if hash_sign and not before.strip() else NOTHING
        if value is NOTHING:
            return node
        self.count += 1
        check = ast.Call(ast.Name("_check", ast.Load()), [node.value, ast.Constant(repr(value)), ast.Constant(end)], [])
        return ast.copy_location(ast.Expr(check), node)


class Page:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self.examples = 0
        self.failures = 0

    def fail(self, line: int, message: str) -> None:
        self.failures += 1
        print(f"{self.path}:{line}: {message}")

    def doctest(self, line: int, text: str) -> None:
        test = doctest.DocTestParser().get_doctest(text, self.namespace, str(self.path), str(self.path), line - 1)
        runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
        result = runner.run(test, clear_globs=False)
        self.namespace.update(test.globs)
        self.examples += result.attempted
        self.failures += result.failed

    def execute(self, line: int, text: str) -> None:
        def check(value: Any, expected: str, at: int) -> None:
            if repr(value) != expected and value != ast.literal_eval(expected):
                self.fail(line + at - 1, f"says {expected}, is {value!r}")

        self.namespace["_check"] = check
        claims = Claims(text.splitlines())
        tree = ast.fix_missing_locations(claims.visit(ast.parse(text)))
        self.examples += 1 + claims.count
        try:
            exec(compile(tree, f"{self.path}, the block at line {line}", "exec"), self.namespace)
        except Exception as error:
            self.fail(line, f"raises {error!r}")

    def console(self, line: int, text: str) -> None:
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            self.examples += 1
            done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if not doctest.OutputChecker().check_output(expected, done.stdout, FLAGS):
                self.fail(line, f"$ {command}\nsays\n{expected}\nprints (exit status {done.returncode})\n{done.stdout}")

    def run(self) -> None:
        kinds = {"console": self.console}
        for language, line, text in blocks(self.path.read_text(encoding="utf-8")):
            if language == "python":
                (self.doctest if text.startswith(">>> ") else self.execute)(line, text)
            elif language in kinds:
                kinds[language](line, text)


def main() -> int:
    page = Page(Path(sys.argv[1]))
    page.run()
    print(page.examples)
    return 1 if page.failures else 0


if __name__ == "__main__":
    sys.exit(main())
