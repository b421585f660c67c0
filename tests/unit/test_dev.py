"""``make dev`` begins anew what a change reaches, and ends what it has begun."""

from __future__ import annotations

import sys
import threading
import time
import tomllib
from pathlib import Path

from tests import dev

SCRIPT = """
import pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with pathlib.Path(sys.argv[1]).open("a") as log:
    log.write("begun\\n")
signal.pause()
"""


def _wait(file: Path, lines: int) -> None:
    deadline = time.monotonic() + 30
    while not file.exists() or len(file.read_text().splitlines()) < lines:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_a_change_reaches_begins_anew_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "api").mkdir(parents=True)
    (source / "a.py").write_text("1")
    logs = [tmp_path / "server", tmp_path / "pages"]
    server, pages = (dev.Program([sys.executable, "-c", SCRIPT, log], {}, tmp_path) for log in logs)
    ending, replaced = threading.Event(), threading.Event()
    answers = [True, False]

    def replace() -> bool:
        if done := answers.pop():
            replaced.set()
        return done

    codes: list[int] = []
    keeper = threading.Thread(target=lambda: codes.append(dev.keep(server, pages, source, ending, replace)))
    keeper.start()
    try:
        for begun, change in enumerate(("a.py", "new.py"), 1):
            _wait(logs[0], begun)
            (source / change).write_text("2")
        _wait(logs[0], 3)
        (source / "api" / "x.py").write_text("1")
        assert replaced.wait(30)
    finally:
        ending.set()
        keeper.join(60)
    assert codes == [0]
    assert server.ended
    assert pages.ended
    assert [log.read_text().count("begun") for log in logs] == [3, 1]


def test_what_replaces_the_web_process_alone_is_imported_by_no_other() -> None:
    laws = tomllib.loads((dev.ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = [layer.replace(" ", "").split("|") for layer in laws[0]["layers"]]
    below = {name for layer in layers[layers.index(["host", "room", "publish"]) :] for name in layer}
    assert dev.WEB_ONLY.isdisjoint(below | {"cli", "serve"})


def test_without_pages_there_is_nothing_to_do(tmp_path: Path) -> None:
    server = dev.Program([sys.executable, "-c", SCRIPT, tmp_path / "log"], {}, tmp_path)
    pages = dev.Program([sys.executable, "-c", "raise SystemExit(1)"], {}, tmp_path)
    assert dev.keep(server, pages, tmp_path, threading.Event()) == 1
    assert server.ended
