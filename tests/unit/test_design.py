"""The design's page, held against the tree."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "streamer" / "README.md").read_text("utf-8")
FILE = re.compile(r"`([\w./-]+\.(?:py|ts|svelte|md|toml))`")


def test_every_file_that_the_page_names_is_there() -> None:
    sources = [path.as_posix() for folder in ("streamer", "web/src") for path in (ROOT / folder).rglob("*.*")]
    named = FILE.findall(PAGE)
    assert "rtc/receiver.py" in named
    # A bare name stands beside another of its folder.
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in sources)] == []
