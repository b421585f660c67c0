"""The list of faults (``make mutants``) keeps up with the program: each still applies, and each package has two."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.__main__ import ROOT, NotJudged, faulty
from tests.mutants.fault import Fault
from tests.mutants.faults import FAULTS

TOP_LEVEL = "."


def _package(module: Path) -> str:
    parts = module.parts[1:]
    return parts[0] if len(parts) > 1 else TOP_LEVEL


def test_each_fault_applies_and_is_another() -> None:
    for fault in FAULTS:
        text = (ROOT / fault.module).read_text("utf-8")
        compile(faulty(text, fault), fault.module, "exec")
        assert faulty(text, fault) != text, fault
        file, _, test = fault.test.partition("::")
        assert f"def {test.partition('[')[0]}" in (ROOT / file).read_text("utf-8"), fault.test
    assert len({(fault.module, fault.before) for fault in FAULTS}) == len(FAULTS)


def test_every_package_has_two() -> None:
    packages = {_package(path.relative_to(ROOT)) for path in (ROOT / "streamer").rglob("*.py") if path.stat().st_size}
    found = Counter(_package(Path(fault.module)) for fault in FAULTS)
    assert {package for package in packages if found[package] < 2} == set()


def test_a_line_that_is_gone_or_there_twice_is_told() -> None:
    fault = Fault("m.py", "a = 1", "a = 2", "t.py", "")
    assert faulty("if x:\n    a = 1\n", fault) == "if x:\n    a = 2\n"
    for text in ("b = 1\n", "a = 1\na = 1\n"):
        with pytest.raises(NotJudged):
            faulty(text, fault)
