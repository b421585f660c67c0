"""Processes that only look after others stay small."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["streamer.cli.commands", "streamer.serve", "streamer.host.media_host"])
def test_who_looks_after_others_loads_neither_database_nor_web_server_nor_codecs(module: str) -> None:
    script = f"import sys, {module}; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not {"sqlalchemy", "aiohttp", "engineio", "av", "aiortc", "numpy"} & set(loaded.stdout.split())


def test_a_relay_process_starts_without_what_its_first_viewer_would_wait_for() -> None:
    script = "import sys, streamer.room.relay_process; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert "aiortc" in loaded.stdout.split()
    assert not {"rich", "sqlalchemy", "aiohttp", "numpy"} & set(loaded.stdout.split())


def test_a_web_process_starts_without_the_libraries_that_few_of_its_requests_need() -> None:
    rare = ("alembic", "dateutil", "icalendar", "jwt", "requests", "rich", "segno", "sqlalchemy.dialects.postgresql")
    script = (
        "import gc, sys\n"
        "from streamer.starting import quick_imports\n"
        "with quick_imports('requests', 'rich'):\n"
        "    assert not gc.isenabled()\n"
        "    import streamer.web.process\n"
        "assert gc.isenabled()\n"
        "print(*sorted(sys.modules))\n"
        "import rich"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    loaded = set(ran.stdout.split())
    assert "engineio" in loaded
    assert not set(rare) & loaded
    assert not {"av", "aiortc", "aioice", "numpy"} & loaded, "the web plane decodes nothing"
    assert ran.returncode == 0, "what was hidden from the imports is there again"


@pytest.mark.parametrize("module", ["frames", "peaks", "pictures", "replay_sound"])
def test_a_decoder_loads_what_it_uses(module: str) -> None:
    """It lives for a tenth of a second."""
    script = f"import sys, streamer.media.{module}; print(*sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert not {"pydantic", "structlog", "sqlalchemy", "aiohttp"} & set(ran.stdout.split())
