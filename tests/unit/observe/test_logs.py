"""Logs contain no texts of strangers, except necessary ones."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
import structlog

from streamer.observe.log_words import SENTENCES, sentence
from streamer.observe.logs import configure_logging
from streamer.sections import LogSettings


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """The log's text; the configuration is restored afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _stumble(said: str) -> None:
    raise RuntimeError(f"over {len(said)} characters")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_lines_of_the_program_and_no_values(
    written: Callable[[], str], form: Literal["console", "json"]
) -> None:
    configure_logging(LogSettings(format=form))
    said = "what Ann said in private"
    try:
        _stumble(said)
    except RuntimeError:
        structlog.get_logger("streamer.tests").exception("stumbled")
    out = written()
    assert "_stumble(said)" in out
    assert "over 24 characters" in out
    assert said not in out


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_text_of_several_lines_is_one_line(written: Callable[[], str], form: Literal["console", "json"]) -> None:
    configure_logging(LogSettings(format=form))
    structlog.get_logger("streamer.tests").info("said", name="Ann\n2026-01-01 [info] admin_logged_in \x1b[2J")
    out = written()
    assert out.count("\n") == 1
    assert "\x1b[2J" not in out


def test_a_terminal_shows_sentences_in_local_time(written: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Indian/Reunion")
    time.tzset()
    configure_logging(LogSettings(format="console"), role="web")
    log = structlog.get_logger("streamer.tests")
    hours = [time.strftime("%Y-%m-%d %H:")]
    try:
        log.info("publication_closed", room="a", source="main", reason="bye", publication="x7")
        log.warning("disk", room="a", trouble="disk_full", folder="/d", error="No space left on device", free=0)
        log.info("something_new_happened", session="talk", people=3, token="secret")
        hours.append(time.strftime("%Y-%m-%d %H:"))
    finally:
        monkeypatch.undo()
        time.tzset()
    lines = written().splitlines()
    assert all(line[:14] in hours and re.match(r"\d\d:\d\d  web     ", line[14:]) for line in lines), lines
    assert [line[29:] for line in lines] == [
        "Room a: Source main is not published any more (bye).",
        "Warning: Room a: The disk is in trouble (disk_full) at /d: No space left on device. (free 0)",
        "Something new happened. (session talk, people 3, token …)",
    ]


def test_each_sentence_is_of_an_event_that_is_logged_and_asks_for_no_field_that_it_lacks() -> None:
    program = Path(__file__).parents[3] / "streamer"
    calls = "\n".join(path.read_text("utf-8") for path in program.rglob("*.py") if path.name != "log_words.py")
    for event, words in SENTENCES.items():
        assert f'"{event}"' in calls, event
        fields = re.findall(r"{(\w+)}", words)
        said = sentence({"event": event, **dict.fromkeys(fields, "x")})
        assert said.endswith((".", "x", "ms.")), said
        around = [calls[at.start() : at.start() + 400] for at in re.finditer(f'"{event}"', calls)]
        assert any(all(f"{field}=" in text for field in fields) for text in around), event
