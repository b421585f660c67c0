"""For all tests: nothing of the developer's environment gets in, and on the build server nothing is left out."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
import structlog

from streamer.supervision import TASKS
from tests.fakes.compiled import addresses_are_made_once, statements_are_compiled_once
from tests.fakes.shared import server, servers

__all__ = ["addresses_are_made_once", "server", "servers", "statements_are_compiled_once"]

SOAK = Path(__file__).resolve().parent / "soak"
SLOW_LIMIT_S = 300
"""For tests that are marked as slow: it ends one that hangs, also on a machine that does something else beside."""
# Failures are logged without rich, which takes tenths of a second to colour a traceback for nobody.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

OPTIONAL = "optional: "
"""The first words of the reason of a skip that the build server accepts."""


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("STREAMER_"):
            monkeypatch.delenv(name)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The long searches take hours: only for who names them (``make soak``)."""
    if collection_path != SOAK or any(path == SOAK or SOAK in path.parents for path in _named(config)):
        return None
    return True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_LIMIT_S))


def _named(config: pytest.Config) -> list[Path]:
    return [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A program that is missing on the build server is a mistake in its set-up, not a reason to test less."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if OPTIONAL not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped on the build server: {reason}"
    return report


@pytest.fixture(autouse=True)
def no_task_in_trouble() -> None:
    """Failures of one test's tasks must not raise alarms in the next one's rooms."""
    TASKS._failed_at.clear()
