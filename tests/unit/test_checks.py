"""The suites of ``make test``: their order and their count, with a pytest of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import checks, pool

SUITE = """
from pathlib import Path
import pytest

def passes_after(failures, name):
    told = Path(__file__).with_name(f"tries_of_{name}")
    tries = int(told.read_text()) if told.exists() else 0
    told.write_text(str(tries + 1))
    assert tries >= failures
"""
FEW = """
def test_steady(): pass
@pytest.mark.skip(reason="not here")
def test_left_out(): pass
@pytest.mark.parametrize("failures", [0, 1, 2])
def test_timing(failures): passes_after(failures, failures)
"""


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # This test may be run by a worker itself.
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "test_suite.py"


def tried(path: Path) -> checks.Sum:
    suite = checks.Pool(path.parent, [str(path.parent)])
    suite.run()
    suite.run_again()
    return suite.result()


def test_what_fails_is_tried_once_more_and_named(suite: Path) -> None:
    suite.write_text(SUITE + FEW)
    for number in range(pool.WORKERS):
        suite.with_name(f"test_more_{number}.py").write_text("def test_more(): pass")
    found = tried(suite)
    assert (found.passed, found.failed, found.skipped) == (3 + pool.WORKERS, 1, 1)
    assert [name.partition("::")[2] for name in found.late] == ["test_timing[1]"]
    tries = [suite.with_name(f"tries_of_{failures}").read_text() for failures in range(3)]
    assert tries == ["1", "2", "2"], "what passed is not tried again, and nothing a third time"


@pytest.mark.parametrize(("tests", "failed"), [(checks.TRY_AGAIN, 0), (checks.TRY_AGAIN + 1, checks.TRY_AGAIN + 1)])
def test_many_failures_are_no_matter_of_timing(suite: Path, tests: int, failed: int) -> None:
    suite.write_text(
        f"{SUITE}\n@pytest.mark.parametrize('name', range({tests}))\ndef test_timing(name): passes_after(1, name)\n"
    )
    found = tried(suite)
    assert (found.failed, len(found.late)) == (failed, tests - failed)


def test_a_suite_that_cannot_be_collected_has_failed(suite: Path) -> None:
    suite.write_text("import nothing_of_this_name")
    found = tried(suite)
    assert (found.passed, found.failed, found.late) == (0, 1, [])


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


@pytest.mark.parametrize(
    ("second", "failed"), [({"a": "passed"}, 0), ({"a": "failed"}, 1), ({"a": "skipped"}, 1), ({}, 1)]
)
def test_only_what_passes_in_the_second_try_did_not_fail(second: dict[str, str], failed: int) -> None:
    found = checks.summed({"a": "failed", "b": "passed"}, second)
    assert (found.passed, found.failed) == (2 - failed, failed)
    assert found.late == ([] if failed else ["a"])


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
    assert taken == [waiting, waiting, ["tests/unit/media/a.py", "tests/unit/media/d.py"]]
    assert pool.next_for(0, waiting) == "tests/e2e/b.py"
    assert pool.next_for(1, waiting) == "tests/unit/cli/c.py"


def test_weights_are_of_modules_that_there_are() -> None:
    weights = json.loads(pool.WEIGHTS.read_text())
    assert [module for module in weights if not (checks.ROOT / module).exists()] == []


def test_bytecode_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in checks.environment()
