"""``make test``: every check and test, to the end even when one fails.

The last line is the sum: ``N passed, N failed, N skipped``. With CI=true a test that is skipped because a
program is missing has failed (tests/conftest.py).

The Python tests are one pool (tests/pool.py). What only works runs beside it, at the lowest priority.
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
from dataclasses import dataclass
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
SHARED = "TESTS_SHARED"
"""The name in the environment of a folder that all workers of a run have."""
_PYTEST_NO_TESTS = 5


@dataclass
class Sum:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Sum) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def environment() -> dict[str, str]:
    """Bytecode is kept whatever the shell's setting is: otherwise each of a hundred processes would compile the whole
    program."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}


def run(
    name: str, command: Sequence[str | Path], folder: Path = ROOT, *, live: bool = True, **given: str
) -> tuple[int, str, float]:
    """Run one step with its output shown, as it comes if ``live``. Returns exit code, output and seconds. ``given``:
    more of its environment."""
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
        env=environment() | given,
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


def python_tests(folder: Path, paths: Sequence[str] = ("tests",), options: Sequence[str] = ()) -> tuple[Sum, float]:
    """All Python tests. ``folder`` is for what pytest reports and remembers."""
    report = folder / "report.xml"
    how = ("-p", "tests.pool", "-n", str(WORKERS), f"--durations={SLOWEST}", f"--timeout={LIMIT_S}")
    command = [BIN / "python", "-m", "pytest", "-q", *how, f"--junitxml={report}", "-o", f"cache_dir={folder}/cache"]
    code, _, seconds = run("Python tests", [*command, *options, *paths], **{SHARED: str(folder)})
    counts = Counter(outcomes(report).values()) if report.exists() else Counter[str]()
    found = Sum(counts["passed"], counts["failed"], counts["skipped"])
    if code not in (0, _PYTEST_NO_TESTS) and not found.failed:
        found.failed = 1
    return found, seconds


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
    with ThreadPoolExecutor(1) as beside:
        done = beside.submit(others)
        python = python_tests(folder, options=options)
        return [*done.result(), ("Python tests", *python)]


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
    if total.skipped:
        print("Skipped tests and their reasons stand above, at the end of their run (SKIPPED).")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"All together {time.monotonic() - started:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of CPU time.")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
