"""Which unit tests ``make quick`` runs for a change."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests import quick
from tests.conftest import OPTIONAL

FILES = {
    "streamer/__init__.py": "",
    "streamer/a.py": "import json",
    "streamer/b.py": "from streamer import a",
    "streamer/c.py": "def late():\n    from streamer.b import (\n        one,\n        two,\n    )",
    "streamer/apart.py": "",
    "tests/fakes/d.py": "import streamer.c",
    "tests/unit/x/conftest.py": "from tests.fakes.d import e",
    "tests/unit/x/test_far.py": "",
    "tests/unit/y/test_near.py": "from streamer.a import f",
    "tests/unit/y/test_apart.py": "from streamer.apart import g",
    "tests/integration/test_server.py": "import streamer.a",
}


@pytest.mark.parametrize(
    ("change", "tests"),
    [
        ("streamer/a.py", ["tests/unit/y/test_near.py", "tests/unit/x/test_far.py"]),
        ("streamer/c.py", ["tests/unit/x/test_far.py"]),
        ("tests/unit/x/conftest.py", ["tests/unit/x/test_far.py"]),
        ("tests/unit/y/test_apart.py", ["tests/unit/y/test_apart.py"]),
        ("README.md", []),
    ],
)
def test_a_change_touches_the_tests_that_import_it_the_nearest_first(change: str, tests: list[str]) -> None:
    assert quick.touched([change], FILES) == tests


def test_a_module_that_most_things_import_touches_the_tests_of_others() -> None:
    tests = quick.touched(["streamer/errors.py"], quick.sources())
    assert len(tests) > 50
    assert len(tests) == len(set(tests))


def test_as_many_run_as_the_time_holds() -> None:
    weights = {"long": 9.0, "longer": 30.0, "short": 1.0}
    assert quick.affordable(["longer", "long", "short", "unknown"], weights, 10.0) == ["long", "short"]


@pytest.mark.skipif(shutil.which("git") is None, reason=f"{OPTIONAL}git is not installed")
def test_what_is_committed_changed_and_new_since_main_is_the_change(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@x.example")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    for name in ("same", "edited", "gone"):
        (tmp_path / name).write_text("x")
    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "x")
    git("checkout", "-b", "work")
    (tmp_path / "committed").write_text("x")
    git("add", ".")
    git("commit", "-m", "x")
    (tmp_path / "edited").write_text("y")
    (tmp_path / "new").write_text("x")
    (tmp_path / "gone").unlink()
    assert quick.changed(tmp_path) == ["committed", "edited", "new"]
