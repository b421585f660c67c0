"""The suites of ``make test``: their order and their count, with a pytest of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from _pytest.assertion import rewrite

from tests import checks, pool

SUITE = """
import pytest
from _pytest.assertion import rewrite
def test_steady(): pass
@pytest.mark.skip(reason="not here")
def test_left_out(): pass
def test_wrong(): assert not "right"
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # This test may be run by a worker itself.
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)
    # Plugins that the suite does not need take most of a process's start.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:schemathesis -p no:hypothesispytest -p no:asyncio")
    return tmp_path / "test_suite.py"


@pytest.fixture
def two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for one module: starting the five takes a second."""
    monkeypatch.setattr(checks, "WORKERS", 2)


def counted(path: Path, *options: str) -> checks.Sum:
    return checks.python_tests(path.parent, [str(path.parent)], options)[0]


def test_every_test_is_counted_once_and_what_fails_has_failed(suite: Path) -> None:
    suite.write_text(SUITE)
    for number in range(pool.WORKERS):
        suite.with_name(f"test_more_{number}.py").write_text("def test_more(): pass")
    assert counted(suite) == checks.Sum(passed=1 + pool.WORKERS, failed=1, skipped=1)
    # The leader of the workers has rewritten each module for all of them.
    written = rewrite.get_cache_dir(suite).glob(f"*{rewrite.PYC_TAIL}")
    assert len(list(written)) == 1 + pool.WORKERS


@pytest.mark.usefixtures("two_workers")
def test_a_test_that_hangs_is_ended_once_and_the_others_are_run(suite: Path) -> None:
    suite.write_text(
        "import pytest, time\n"
        "@pytest.fixture\n"
        "def hangs_in_the_end():\n"
        "    yield\n"
        "    time.sleep(1000)\n"
        "def test_before(): pass\n"
        "def test_hangs(): time.sleep(1000)\n"
        "def test_between(): pass\n"
        "def test_fails(hangs_in_the_end): assert False\n"
        "def test_after(): pass\n"
    )
    # The worker has done others before.
    for number in range(4):
        suite.with_name(f"test_done_{number}.py").write_text("def test_done(): pass")
    assert counted(suite, "--timeout=1", "--timeout-method=thread") == checks.Sum(passed=7, failed=2)


@pytest.mark.usefixtures("two_workers")
def test_a_suite_that_cannot_be_collected_has_failed(suite: Path) -> None:
    suite.write_text("import nothing_of_this_name")
    assert counted(suite) == checks.Sum(failed=1)


def test_a_test_that_is_told_twice_counts_once(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testsuite>"
        '<testcase classname="a" name="x"><failure/></testcase><testcase classname="a" name="x"><error/></testcase>'
        '<testcase classname="a" name="y"/><testcase classname="a" name="y"><error/></testcase>'
        '<testcase classname="a" name="z"><skipped/></testcase>'
        "</testsuite></testsuites>"
    )
    assert checks.outcomes(report) == {"a::x": "failed", "a::y": "failed", "a::z": "skipped"}


def test_the_longest_module_is_first_and_an_unknown_one_is_as_long_as_most_of_its_kind() -> None:
    weights = {"tests/unit/a.py": 0.1, "tests/unit/b.py": 30.0, "tests/e2e/c.py": 25.0, "tests/unit/room/d.py": 9.0}
    unknown = ["tests/unit/new.py", "tests/e2e/new.py", "tests/integration/new.py"]
    assert pool.longest_first([*weights, *unknown], weights) == [
        "tests/unit/b.py",
        "tests/e2e/c.py",
        "tests/e2e/new.py",
        "tests/integration/new.py",
        "tests/unit/room/d.py",
        "tests/unit/new.py",
        "tests/unit/a.py",
    ]


def test_nothing_with_a_clock_runs_at_a_low_priority() -> None:
    waiting = ["tests/unit/media/a.py", "tests/e2e/b.py", "tests/unit/cli/c.py", "tests/unit/media/d.py"]
    taken: list[list[str]] = []
    for worker in range(pool.WORKERS):
        left = list(waiting)
        while (chosen := pool.next_for(worker, left)) is not None:
            left.remove(chosen)
        taken.append([module for module in waiting if module not in left])
    assert taken == [*[waiting] * (pool.WORKERS - 1), ["tests/unit/media/a.py", "tests/unit/media/d.py"]]
    assert pool.next_for(0, waiting) == "tests/e2e/b.py"
    assert pool.next_for(1, waiting) == "tests/unit/cli/c.py"


def test_weights_are_of_modules_that_there_are() -> None:
    weights = json.loads(pool.WEIGHTS.read_text())
    assert [module for module in weights if not (checks.ROOT / module).exists()] == []


def test_bytecode_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in checks.environment()
