"""``make test``: every check and test, to the end even when one fails.

The last line is the sum: ``N passed, N failed, N skipped``. With CI=true a test that is skipped because a
program is missing has failed (tests/conftest.py).

The Python tests are one pool (tests/pool.py). What only works runs beside it, at the lowest priority. Tests of media
depend on time, and a busy machine has none to spare: failed ones are tried once more at the end, one after the other
with nothing beside them. Those that pass then are named.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.audit import Audit, audits
from tests.pool import WORKERS

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
SLOWEST = 20
"""The number of slowest tests that are printed with their seconds."""
LIMIT_S = 300
"""The limit of a test without its own: the machine may have other work as well."""
BESIDE = ("nice", "-n", "19")
"""Before a command that gets what time the others leave."""
TRY_AGAIN = 25
"""More failures than this are no matter of timing."""
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


def environment() -> dict[str, str]:
    """Bytecode is kept whatever the shell's setting is: otherwise each of a hundred processes would compile the whole
    program."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}


def run(name: str, command: Sequence[str | Path], folder: Path = ROOT, *, live: bool = True) -> tuple[int, str, float]:
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
        env=environment(),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            if live:
                print(line, end="", flush=True)
    if not live:
        print(f"\n=== {name}\n{''.join(output)}", end="", flush=True)
    return process.returncode, "".join(output), time.monotonic() - started


def check(name: str, command: Sequence[str | Path], folder: Path = ROOT) -> tuple[Sum, float]:
    """A step that passes or fails as a whole; others may run beside it."""
    code, _, seconds = run(name, [*BESIDE, *command], folder, live=False)
    return (Sum(passed=1) if code == 0 else Sum(failed=1)), seconds


def outcomes(report: Path) -> dict[str, str]:
    """``passed``, ``failed`` or ``skipped`` for each test of a JUnit report, as ``tests.unit.test_x::test_name``."""
    found: dict[str, str] = {}
    # Written a moment ago by our own pytest.
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        # A test that fails, and fails again in its tear-down, is reported twice.
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


@dataclass
class Pool:
    """All Python tests. ``folder`` is for what pytest reports and remembers."""

    folder: Path
    paths: Sequence[str] = ("tests",)
    options: Sequence[str] = ()
    seconds: float = 0.0
    code: int = 0
    first: dict[str, str] = field(default_factory=dict)
    second: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        how = ("-p", "tests.pool", "-n", str(WORKERS), f"--durations={SLOWEST}", *self.options)
        self.first, self.code = self._pytest("Python tests", how)

    def run_again(self) -> None:
        """Those that failed, where they are few."""
        if self.code == _PYTEST_FAILURES and 0 < self._failed <= TRY_AGAIN:
            last = ("-p", "no:xdist", "--last-failed", "--last-failed-no-failures=none")
            self.second, _ = self._pytest(f"the second try of {self._failed}", last)

    def result(self) -> Sum:
        found = summed(self.first, self.second)
        if self.code not in (0, _PYTEST_NO_TESTS) and not self._failed:
            found.failed = 1
        return found

    @property
    def _failed(self) -> int:
        return list(self.first.values()).count("failed")

    def _pytest(self, title: str, options: Sequence[str]) -> tuple[dict[str, str], int]:
        report = self.folder / "report.xml"
        report.unlink(missing_ok=True)
        how = (f"--timeout={LIMIT_S}", f"--junitxml={report}", "-o", f"cache_dir={self.folder}/cache")
        code, _, seconds = run(title, [BIN / "python", "-m", "pytest", "-q", *how, *options, *self.paths])
        self.seconds += seconds
        return (outcomes(report) if report.exists() else {}), code


def audited(audit: Audit) -> Sum:
    """An audit that could not run is skipped, not passed."""
    if audit.unknown:
        return Sum(skipped=1)
    return Sum(failed=1) if audit.weaknesses else Sum(passed=1)


def vitest() -> tuple[Sum, float]:
    code, output, seconds = run(
        "unit tests of the pages", [*BESIDE, "npm", "test", "--silent"], ROOT / "web", live=False
    )
    # "Tests  2 failed | 41 passed | 1 skipped (44)"
    line = next((line for line in output.splitlines() if re.match(r"\s*Tests\s", line)), "")
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped)", line)}
    found = Sum(counts.get("passed", 0), counts.get("failed", 0), counts.get("skipped", 0))
    if code != 0 and not found.failed:
        found.failed = 1
    return found, seconds


def others() -> list[tuple[str, Sum, float]]:
    """Name, outcome and seconds of each step that only works."""
    web = ROOT / "web"
    results: list[tuple[str, Sum, float]] = []

    def note(name: str, command: Sequence[str | Path], folder: Path = ROOT) -> None:
        results.append((name, *check(name, command, folder)))

    note("ruff check", [BIN / "ruff", "check", "."])
    note("ruff format", [BIN / "ruff", "format", "--check", "."])
    note("import laws", [BIN / "lint-imports"])
    note("mypy", [BIN / "mypy"])
    note("pages: types and lint", ["npm", "run", "--silent", "check"], web)
    note("pages: size budget", ["npm", "run", "--silent", "budget"], web)
    results.append(("pages: unit tests", *vitest()))
    for audit in audits():
        print(f"\n=== {audit}", flush=True)
        results.append((audit.name, audited(audit), 0.0))
    return results


def everything(folder: Path, options: Sequence[str] = ()) -> list[tuple[str, Sum, float]]:
    pool = Pool(folder, options=options)
    with ThreadPoolExecutor(1) as beside:
        done = beside.submit(others)
        pool.run()
        results = done.result()
    pool.run_again()
    return [*results, ("Python tests", pool.result(), pool.seconds)]


def main() -> int:
    """Options are pytest's (``--record-weights``)."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        results = everything(Path(folder), sys.argv[1:])
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
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"All together {time.monotonic() - started:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of CPU time.")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
