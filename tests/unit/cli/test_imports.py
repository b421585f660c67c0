"""Processes that only look after others stay small."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["streamer.cli", "streamer.serve", "streamer.host.media_host"])
def test_who_looks_after_others_loads_neither_database_nor_web_server_nor_codecs(module: str) -> None:
    script = f"import sys, {module}; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not {"sqlalchemy", "aiohttp", "socketio", "av", "aiortc", "numpy"} & set(loaded.stdout.split())
