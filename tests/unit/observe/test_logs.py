"""Logs contain no texts of strangers, except necessary ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
import structlog

from streamer.observe.logs import configure_logging
from streamer.settings import LogSettings


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
