"""Names and sizes of modules: one thing, one name; a module is read in one go."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "streamer"
MOST_LINES = 500


def test_no_public_class_has_the_name_of_another() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PROGRAM.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path.relative_to(PROGRAM).as_posix())
    assert len(places) > 500
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_module_has_more_than_500_lines() -> None:
    folders = (PROGRAM, ROOT / "tests", ROOT / "web/scripts")
    modules = [
        path
        for folder in folders
        for path in folder.rglob("*.*")
        if path.suffix in (".py", ".js", ".mjs") and "node_modules" not in path.parts
    ]
    assert len(modules) > 500
    sizes = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in modules}
    assert {path: size for path, size in sizes.items() if size > MOST_LINES} == {}
