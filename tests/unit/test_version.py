"""The version stands in ``streamer/__init__.py`` alone, and the changelog tells of it."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date
from pathlib import Path

from streamer import __version__
from streamer.api.openapi import openapi_document
from streamer.observe.metrics import WebMetrics
from streamer.realtime.schemas import asyncapi_document

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
RELEASE = re.compile(r"## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)")


def test_the_packages_have_no_version_of_their_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "streamer.__version__"}
    assert "version" not in json.loads((ROOT / "web/package.json").read_text("utf-8"))


def test_what_shows_the_version_shows_this_one() -> None:
    assert openapi_document(())["info"]["version"] == __version__
    assert asyncapi_document()["info"]["version"] == __version__
    metrics = WebMetrics()
    metrics.watch_rooms(dict)
    assert f'streamer_build_info{{version="{__version__}"}}' in metrics.render().decode()


def test_the_changelog_has_versions_with_dates_the_newest_first() -> None:
    """https://keepachangelog.com/en/1.1.0/, read as far as tools read it."""
    headings = [line for line in CHANGELOG.splitlines() if line.startswith("## ") and line != "## Unreleased"]
    found = [RELEASE.fullmatch(line) for line in headings]
    assert None not in found, headings
    releases = [(tuple(map(int, one[1].split("."))), date.fromisoformat(one[2])) for one in found if one is not None]
    assert releases == sorted(releases, reverse=True)
    assert ".".join(map(str, releases[0][0])) == __version__
    kinds = set(re.findall(r"^### (.*)$", CHANGELOG, re.M))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
