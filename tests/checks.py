"""``make test``: every check and test, one after the other, to the end even when one fails.

The last line is the sum: ``N passed, N failed, N skipped``. With CI=true a test that is skipped because a
program is missing has failed (tests/conftest.py).

Tests of media depend on time, and a busy machine has none to spare: those of a suite that failed are tried once more,
one after the other with nothing beside them. What passes then has passed and is named at the end.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
WHOLE_SERVER = ("tests/integration", "tests/interop", "tests/faults")
TRY_AGAIN = 10
"""More failures than this in one suite are no matter of timing."""
_PYTEST_FAILURES = 1
_PYTEST_NO_TESTS = 5


@dataclass
class Sum:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    late: list[str] = field(default_factory=list)
    """Tests among those passed that needed the second try."""

    def add(self, other: Sum) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.late += other.late


def run(name: str, command: list[str | Path], folder: Path = ROOT, *, live: bool = True) -> tuple[int, str, float]:
    """Run one step with its output shown, as it comes if ``live``. Returns exit code, output and seconds."""
    if live:
        print(f"\n=== {name}", flush=True)
    started = time.monotonic()
    output: list[str] = []
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            if live:
                print(line, end="", flush=True)
    if not live:
        print(f"\n=== {name}\n{''.join(output)}", end="", flush=True)
    return process.returncode, "".join(output), time.monotonic() - started


def check(name: str, command: list[str | Path], folder: Path = ROOT) -> tuple[Sum, float]:
    """A step that passes or fails as a whole; others may run beside it."""
    code, _, seconds = run(name, command, folder, live=False)
    return (Sum(passed=1) if code == 0 else Sum(failed=1)), seconds


def outcomes(report: Path) -> dict[str, str]:
    """``passed``, ``failed`` or ``skipped`` for each test of a JUnit report, as ``tests.unit.test_x::test_name``."""
    found: dict[str, str] = {}
    # Written a moment ago by our own pytest.
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        # One that fails, and fails once more when it is torn down, is told twice.
        if case.find("failure") is not None or case.find("error") is not None:
            found[name] = "failed"
        else:
            found.setdefault(name, "skipped" if case.find("skipped") is not None else "passed")
    return found


def summed(first: dict[str, str], second: dict[str, str]) -> Sum:
    """``second`` is the second try of what failed. Only what has passed in it did not fail."""
    late = [name for name, outcome in first.items() if outcome == "failed" and second.get(name) == "passed"]
    counts = Counter({**first, **dict.fromkeys(late, "passed")}.values())
    return Sum(counts["passed"], counts["failed"], counts["skipped"], late)


def pytest(name: str, paths: list[str], *options: str) -> tuple[Sum, float]:
    """A suite. ``options`` are those of the first try: the second is serial."""
    with tempfile.TemporaryDirectory() as folder:
        report, again = Path(folder) / "report.xml", Path(folder) / "again.xml"
        command: list[str | Path] = [BIN / "pytest", "-q", "-o", f"cache_dir={folder}/cache"]
        code, _, seconds = run(name, [*command, f"--junitxml={report}", *options, *paths])
        if not report.exists():
            return Sum(failed=1), seconds
        first = outcomes(report)
        second: dict[str, str] = {}
        failed = list(first.values()).count("failed")
        if code == _PYTEST_FAILURES and 0 < failed <= TRY_AGAIN:
            last = ["-p", "no:xdist", "--last-failed", "--last-failed-no-failures=none"]
            title = f"{name}: the second try of {failed}"
            code_again, _, more = run(title, [*command, f"--junitxml={again}", *last, *paths])
            if code_again in (0, _PYTEST_FAILURES):
                second = outcomes(again)
            seconds += more
    result = summed(first, second)
    if code not in (0, _PYTEST_NO_TESTS) and not failed:
        result.failed = 1
    return result, seconds


def vitest() -> tuple[Sum, float]:
    code, output, seconds = run("unit tests of the pages", ["npm", "test", "--silent"], ROOT / "web", live=False)
    # "Tests  2 failed | 41 passed | 1 skipped (44)"
    line = next((line for line in output.splitlines() if re.match(r"\s*Tests\s", line)), "")
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped)", line)}
    found = Sum(counts.get("passed", 0), counts.get("failed", 0), counts.get("skipped", 0))
    if code != 0 and not found.failed:
        found.failed = 1
    return found, seconds


def main() -> int:
    started = time.monotonic()
    results: list[tuple[str, Sum, float]] = []

    def note(name: str, result: tuple[Sum, float]) -> None:
        results.append((name, *result))

    def program() -> None:
        note("ruff check", check("ruff check", [BIN / "ruff", "check", "."]))
        note("ruff format", check("ruff format", [BIN / "ruff", "format", "--check", "."]))
        note("mypy", check("mypy", [BIN / "mypy"]))
        note("import laws", check("import laws", [BIN / "lint-imports"]))

    def pages() -> None:
        web = ROOT / "web"
        note("pages: types and lint", check("pages: types and lint", ["npm", "run", "--silent", "check"], web))
        note("pages: size budget", check("pages: size budget", ["npm", "run", "--silent", "budget"], web))
        note("pages: unit tests", vitest())

    with ThreadPoolExecutor(2) as side_by_side:
        for done in [side_by_side.submit(part) for part in (program, pages)]:
            done.result()
    note("unit tests", pytest("unit tests", ["tests/unit"], "-n", "2"))
    # Each module has a server of its own, and they wait more than they work: two at a time. Browsers do not.
    note("the whole server", pytest("the whole server", [*WHOLE_SERVER], "-n", "2", "--dist", "loadfile"))
    note("in Chromium", pytest("in Chromium", ["tests/e2e"]))

    total = Sum()
    print("\n=== in short")
    for name, result, seconds in results:
        total.add(result)
        print(
            f"{'FAILED' if result.failed else 'ok':7} {name:24} {result.passed:5} passed {result.failed:3} failed "
            f"{result.skipped:3} skipped {seconds:6.0f} s"
        )
    if total.late:
        print(f"{len(total.late)} passed on the second try:", *total.late, sep="\n  ")
    if total.skipped:
        print("Skipped tests and their reasons stand above, at the end of their run (SKIPPED).")
    print(f"All together {time.monotonic() - started:.0f} s.")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
