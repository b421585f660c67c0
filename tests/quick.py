"""``make quick``: lint, types, import laws, and the unit tests that a change touches, in less than a minute.

The change is the difference from the point where this branch left main, with uncommitted files. A unit test is touched
if it imports a changed module, directly or by way of others. The nearest come first, as many as fit into the time.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.checks import BIN, ROOT, run
from tests.pool import SERVERS, WEIGHTS

TESTS_S = 20.0
"""The unit tests of this many recorded seconds."""
_LIGHT_S = 0.5
"""The assumed time of a module without a record."""
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)|import[ \t]+([\w.]+))", re.M)


def changed(root: Path = ROOT) -> list[str]:
    """Paths from ``root`` that were changed since main, and those that Git does not know yet."""

    def git(*arguments: str) -> list[str]:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
        return done.stdout.split() if done.returncode == 0 else []

    base = (git("merge-base", "main", "HEAD") or git("merge-base", "origin/main", "HEAD") or ["HEAD"])[0]
    found = {*git("diff", "--name-only", base), *git("ls-files", "--others", "--exclude-standard")}
    return sorted(path for path in found if (root / path).exists())


def sources(root: Path = ROOT) -> dict[str, str]:
    """The text of each Python file of the program and its tests, by path from ``root``."""
    files = (file for folder in ("streamer", "tests") for file in (root / folder).rglob("*.py"))
    return {file.relative_to(root).as_posix(): file.read_text("utf-8") for file in files}


def importers(files: Mapping[str, str]) -> dict[str, set[str]]:
    """For each file those that import it, a folder's ``conftest.py`` as if its tests imported it."""
    by_name = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in files}
    found: dict[str, set[str]] = {path: set() for path in files}
    for path, text in files.items():
        for package, names, module in _IMPORT.findall(text):
            whole = package or module
            for name in (whole, *(f"{whole}.{part}" for part in re.findall(r"\w+", names))):
                if (imported := by_name.get(name)) is not None and imported != path:
                    found[imported].add(path)
        if Path(path).name.startswith("test_"):
            for folder in Path(path).parents:
                if (conftest := f"{folder.as_posix()}/conftest.py") in found:
                    found[conftest].add(path)
    return found


def touched(changes: Iterable[str], files: Mapping[str, str]) -> list[str]:
    """The unit tests that import one of ``changes``, the nearest first. Those with a clock are for ``make test``."""
    uses = importers(files)
    seen = dict.fromkeys(path for path in changes if path in uses)
    # The order of a dict that grows is the order of distance.
    queue = list(seen)
    for path in queue:
        for user in sorted(uses[path] - seen.keys()):
            seen[user] = None
            queue.append(user)
    tests = (path for path in seen if path.startswith("tests/unit/") and Path(path).name.startswith("test_"))
    return [path for path in tests if not path.startswith(SERVERS)]


def affordable(tests: Iterable[str], weights: Mapping[str, float], limit_s: float = TESTS_S) -> list[str]:
    """The first tests that fit into the time; a test that is too long alone is left out."""
    chosen: list[str] = []
    for test in tests:
        if (seconds := weights.get(test, _LIGHT_S)) <= limit_s:
            chosen.append(test)
            limit_s -= seconds
    return chosen


def main() -> int:
    started = time.monotonic()
    changes = changed()
    tests = touched(changes, sources())
    weights = json.loads(WEIGHTS.read_text())
    chosen = affordable(tests, weights)
    python = [
        ("ruff check", [BIN / "ruff", "check", "."], ROOT),
        ("ruff format", [BIN / "ruff", "format", "--check", "."], ROOT),
        ("import laws", [BIN / "lint-imports"], ROOT),
    ]
    types = [("mypy", [BIN / "mypy"], ROOT)]
    if chosen:
        types.append(("unit tests", [BIN / "python", "-m", "pytest", "-q", "-x", *chosen], ROOT))
    if pages := [path.removeprefix("web/") for path in changes if path.startswith("web/")]:
        web = ROOT / "web"
        python.append(("pages: types, lint, unused code", ["npm", "run", "--silent", "check"], web))
        scripts = [path for path in pages if path.startswith("src/") and path.endswith((".ts", ".svelte"))]
        if scripts:
            python.append(("pages: unit tests", ["npx", "vitest", "related", "--run", *scripts], web))
    with ThreadPoolExecutor(2) as threads:
        groups = [threads.submit(_run_steps, group) for group in (python, types)]
        failed = [name for group in groups for name in group.result()]
    if len(chosen) < len(tests):
        print(f"\n{len(tests) - len(chosen)} modules of unit tests that the change touches are left to make test.")
    print(f"\n{time.monotonic() - started:.0f} s. " + (f"FAILED: {', '.join(failed)}" if failed else "All passed."))
    return 1 if failed else 0


def _run_steps(steps: Iterable[tuple[str, list[str | Path], Path]]) -> list[str]:
    """One step after the other. Returns the names of those that failed."""
    return [name for name, command, folder in steps if run(name, command, folder, live=False)[0] != 0]


if __name__ == "__main__":
    sys.exit(main())
