"""The organisers' pages say a schedule's warnings in French: they know all sentences of the readers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
CATALOGUE = ROOT / "web/src/pages/admin/locales/import-warnings.ts"


def _sentences(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) >= 2:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name not in ("warn", "ScheduleWarning"):
                continue
            match node.args[1]:
                case ast.Constant(str(text)):
                    yield text
                case ast.JoinedStr(values):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in values)


def test_each_warning_of_a_schedule_has_its_sentence_in_french() -> None:
    files = [*(ROOT / "streamer/schedules").glob("*.py"), *(ROOT / "streamer/planning").glob("*.py")]
    said = {text for file in files for text in _sentences(ast.parse(file.read_text("utf-8")))}
    known = re.findall(r"^ +\[?\s*('.*?'|\".*?\"),(?= '|\n)", CATALOGUE.read_text("utf-8"), re.M)
    english = {text[1:-1] for text in known}
    assert len(said) > 30
    assert said - english == set()
