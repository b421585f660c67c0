"""The second try of what ``make test`` runs, with a pytest of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import checks

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


def tried(path: Path, *options: str) -> checks.Sum:
    suite = checks.Suite(path.parent, "suite", [str(path)], options).run()
    suite.run_again()
    return suite.result()


def test_what_fails_is_tried_once_more_and_named(suite: Path) -> None:
    suite.write_text(SUITE + FEW)
    found = tried(suite, "-n", "1")
    assert (found.passed, found.failed, found.skipped) == (3, 1, 1)
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
