"""Metrics, health and logs."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from streamer.certificate import left_s
from streamer.control.messages import RoomConfig, RoomStatus, SourceStatus, TrackStatus
from streamer.errors import Unavailable
from streamer.observe import health
from streamer.observe.disk import LEAST_BYTES, ROOM_BYTES_S, disk_check, disk_of
from streamer.observe.logs import configure_logging
from streamer.observe.memory import Memory, memory
from streamer.observe.metric_help import HELP
from streamer.observe.metrics import WebMetrics
from streamer.sections import LogSettings
from streamer.settings import Settings
from tests.fakes.certificates import write_certificate
from tests.fakes.media_plane import FakeRoom


def samples(metrics: WebMetrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_requests_rooms_and_delivery_are_told() -> None:
    metrics = WebMetrics()
    metrics.observe("/live/{room}/index.m3u8", "GET", 200, 0.004)
    metrics.observe("/live/{room}/index.m3u8", "BREW", 405, 0.004)
    room = FakeRoom(RoomConfig(id="a", name="A"))
    room.status = RoomStatus(
        room="a",
        pid=1,
        on_programme="main",
        viewers_whep=3,
        alarms=["disk_behind"],
        sources={
            "main": SourceStatus(
                name="main", up=True, video=TrackStatus(codec="h264", bitrate=2_000_000, packets=10, lost=1)
            )
        },
        counters={"frames_dropped_total": 7},
    )
    metrics.watch_rooms(lambda: {"a": room})

    @dataclass
    class Stats:
        held: int = 4
        parts_total: int = 9

    metrics.watch_values("streamer_delivery", Stats())
    found = samples(metrics)
    route = ("route", "/live/{room}/index.m3u8")
    assert found["streamer_http_requests_total", (("method", "GET"), route, ("status", "200"))] == 1
    assert found["streamer_http_requests_total", (("method", "other"), route, ("status", "405"))] == 1
    assert found["streamer_rooms", ()] == 1
    assert found["streamer_room_on_programme", (("room", "a"),)] == 1
    assert found["streamer_room_whep_viewers", (("room", "a"),)] == 3
    assert found["streamer_room_alarms", (("room", "a"),)] == 1
    assert found["streamer_source_up", (("room", "a"), ("source", "main"))] == 1
    video = (("kind", "video"), ("room", "a"), ("source", "main"))
    assert found["streamer_source_bitrate_bits", video] == 2_000_000
    assert found["streamer_source_packets_lost_total", video] == 1
    assert found["streamer_room_frames_dropped_total", (("room", "a"),)] == 7
    assert found["streamer_room_reconnects_total", (("room", "a"),)] == 2
    assert found["streamer_delivery_held", ()] == 4
    assert found["streamer_delivery_parts_total", ()] == 9


async def test_ready_means_every_check_passes_and_live_asks_none() -> None:
    broken, low = [False], [False]

    async def host() -> None:
        if broken[0]:
            raise Unavailable("away", code="media_host_unavailable")

    async def database() -> None:
        return None

    async def disk() -> str | None:
        return "disk_low" if low[0] else None

    async def nobody(_request: web.Request) -> None:
        return None

    app = web.Application()
    health.add_routes(app, WebMetrics(), {"database": database, "media_host": host, "disk": disk}, guard=nobody)
    async with TestClient(TestServer(app)) as client:
        assert (await client.get("/readyz")).status == 200
        low[0] = True
        response = await client.get("/readyz")
        assert (response.status, (await response.json())["checks"]["disk"]) == (200, "disk_low")
        broken[0] = True
        response = await client.get("/readyz")
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        error = (await response.json())["error"]
        assert (error["code"], error["details"]) == (
            "not_ready",
            {"database": "ok", "media_host": "media_host_unavailable", "disk": "disk_low"},
        )
        assert (await client.get("/livez")).status == 200
        metrics = await client.get("/metrics")
        assert metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "streamer_http" in await metrics.text()


async def test_ready_tells_a_disk_that_gets_full_and_fails_on_a_full_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [10**12]
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free[0], total=2 * 10**12))
    check = disk_check(tmp_path, lambda: 2)
    assert check() == "ok"
    free[0] = 2 * ROOM_BYTES_S * 3599
    assert check() == "disk_low", "two rooms write"
    free[0] = LEAST_BYTES - 1
    with pytest.raises(Unavailable) as full:
        check()
    assert full.value.code == "disk_full"
    with pytest.raises(Unavailable) as gone:
        disk_check(tmp_path / "none", lambda: 0)()
    assert gone.value.code == "disk_not_writable"
    metrics = WebMetrics()
    free[0] = 2 * ROOM_BYTES_S * 60
    metrics.watch_disk(lambda: disk_of(tmp_path, 2))
    found = samples(metrics)
    assert found["streamer_disk_free_bytes", ()] == free[0]
    assert found["streamer_disk_size_bytes", ()] == 2 * 10**12
    assert found["streamer_disk_left_seconds", ()] == 60


def recorded_metrics() -> set[str]:
    """All that the program can tell: without ``streamer_``, ``_total``."""
    recorded = Path(__file__).parents[2] / "golden" / "data"
    kinds = json.loads((recorded / "metrics.json").read_text())["kinds"]
    counters = json.loads((recorded / "codes.json").read_text())["counters"]
    # Counters with these names are connections'.
    counters = {name.removeprefix("room_") for name in counters} - {
        f"cut_{name}_total" for name in ("body", "headers", "idle", "slow")
    }
    names = {name.removeprefix("streamer_") for name in kinds if not name.endswith("_created")}
    return {name.removesuffix("_total") for name in (*names, *(f"room_{counter}" for counter in counters))}


def test_each_metric_says_what_it_means_and_what_to_do() -> None:
    assert set(HELP) == recorded_metrics()
    orders = ("Nothing to do", "Look", "Raise", "Compare", "Check", "Report", "Send", "Tell", "End", "Renew", "Call")
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    for name, (meaning, remedy) in HELP.items():
        assert meaning.endswith("."), name
        assert remedy.endswith("."), name
        assert remedy.startswith((*orders, "Open")), f"{name}: {remedy}"
        assert len(set(re.findall(r"[a-z]+", meaning.lower())) - set(name.split("_"))) >= 2, f"{name} says its name"
        for section, setting in re.findall(r"\b([a-z]+)\.([a-z_]+)\b", f"{meaning} {remedy}"):
            if section in sections:
                assert setting in sections[section].model_fields, name  # type: ignore[union-attr]


def test_memory_is_the_machines(tmp_path: Path) -> None:
    found = memory()
    assert found is not None
    assert 0 < found.available <= found.size
    (tmp_path / "meminfo").write_text("MemTotal: 2048 kB\nMemAvailable:  1024 kB\nHugePages_Total: 0\n")
    assert memory(tmp_path / "meminfo") == Memory(1024 * 1024, 2048 * 1024)
    assert memory(tmp_path / "none") is None
    metrics = WebMetrics()
    metrics.watch_memory(lambda: None)
    assert samples(metrics) == {}


def test_a_certificate_tells_when_it_ends(tmp_path: Path) -> None:
    write_certificate(tmp_path / "certificate.pem", tmp_path / "key.pem")
    left = left_s(tmp_path / "certificate.pem")
    assert left is not None
    assert 3500 < left <= 3600
    assert left_s(tmp_path / "key.pem") is None


def test_logs_are_json_lines_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging(LogSettings(format="json"), role="web")
    try:
        structlog.get_logger("test").info("hello", token="abc.secret", room="a")
        structlog.get_logger("test").debug("not this")
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        structlog.reset_defaults()
    assert [(line["event"], line["room"], line["role"], line["token"]) for line in lines] == [
        ("hello", "a", "web", "…")
    ]
