"""The outside interfaces as they were recorded: REST, pages and addresses, settings, metrics, the command line, the
schedule files for other programs. Texts for people are left out; they may be improved."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer.main
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import BaseModel

import streamer
from streamer import __version__
from streamer.api.openapi import openapi_document
from streamer.api.routes import ROUTES
from streamer.backup.saving import LAST_FILE, LastBackup
from streamer.cli.commands import app as command_line
from streamer.conference.schedule import Schedule, ScheduleItem, ScheduleRoom
from streamer.conference.sessions import Flag, Kind, Visibility
from streamer.control.messages import RoomConfig, RoomStatus, SourceStatus, TrackStatus
from streamer.observe.metric_help import HELP
from streamer.schedules.c3voc import read_c3voc
from streamer.schedules.frab import read_frab
from streamer.schedules.ical import read_ical
from streamer.schedules.write_frab import write_frab
from streamer.schedules.write_ical import write_ical
from streamer.schedules.write_json import write_json
from streamer.settings import HlsSettings, Settings, load_settings
from streamer.store.database import Database, database_url
from streamer.supervision import TASKS
from streamer.web.application import assemble
from tests.fakes.certificates import write_certificate
from tests.fakes.media_plane import FakePlane
from tests.golden.filled import by_name
from tests.golden.recorded import DATA, same_bytes, same_json

WORDS = {"description", "summary", "title"}
"""Of a schema or an operation; a field may have such a name, too."""
NOON_MS = 1_780_308_000_000  # 2026-06-01T10:00:00Z
HOUR_MS = 3_600_000


def test_rest() -> None:
    document = json.loads(json.dumps(openapi_document(ROUTES)))
    del document["info"]
    same_json("openapi.json", _wordless(document))


def _wordless(value: Any, *, names: bool = False) -> Any:
    """Without descriptions. ``names``: the keys are names of fields, schemas or codes."""
    if isinstance(value, list):
        return [_wordless(item) for item in value]
    if not isinstance(value, dict):
        return value
    mappings = ("properties", "schemas", "paths", "responses", "$defs")
    return {
        key: _wordless(item, names=key in mappings and not names)
        for key, item in value.items()
        if names or not (key in WORDS and isinstance(item, str))
    }


def test_settings() -> None:
    """Names, defaults and bounds, as in a settings file."""
    same_json("settings.json", dict(_settings(Settings, "")))


def _settings(model: type[BaseModel], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            found += _settings(type(default), f"{prefix}{name}.")
            continue
        bounds = {
            key: getattr(item, key)
            for item in field.metadata
            for key in ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern")
            if getattr(item, key, None) is not None
        }
        value = json.loads(json.dumps(default, default=_plain))
        found.append((f"{prefix}{name}", {"default": value, **bounds}))
    return found


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


@dataclass
class Whole:
    app: web.Application
    plane: FakePlane
    client: TestClient[web.Request, web.Application]


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    settings = load_settings(None, data=tmp_path)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)
    server = settings.server.model_copy(update={"tls_cert": certificate, "tls_key": key})
    settings = settings.model_copy(update={"server": server})
    (tmp_path / LAST_FILE).write_bytes(msgspec.json.encode(LastBackup(NOON_MS, "/backup", 1.0, 1)))
    database = Database(database_url("", settings.data))
    await database.start()
    plane = FakePlane()
    app = assemble(settings, database, plane, public_url="http://s.test")
    async with TestClient(TestServer(app)) as client:
        yield Whole(app, plane, client)
    await database.close()


async def test_addresses(whole: Whole) -> None:
    found = sorted(
        f"{route.method} {resource.canonical}" for resource in whole.app.router.resources() for route in resource
    )
    same_json("addresses.json", found)


async def test_metrics(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a web process with one room: names, kinds and labels."""
    room = await whole.plane.ensure(RoomConfig(id="a", name="A"))
    track = TrackStatus(codec="h264", bitrate=1, packets=1)
    source = SourceStatus(name="main", up=True, round_trip_ms=1.0, video=track, audio=track)
    room.status = RoomStatus(room="a", pid=1, sources={"main": source}, counters={"frames_dropped_total": 1})
    monkeypatch.setitem(TASKS._restarts, "retention", 1)
    await whole.client.get("/api/v1/rooms")
    text = await (await whole.client.get("/metrics")).text()
    labels: dict[str, set[str]] = {}
    for line in text.splitlines():
        if found := re.match(r"(\w+)(?:{(.*)})? ", line):
            labels.setdefault(found[1], set()).update(re.findall(r'(\w+)="', found[2] or ""))
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    helped = dict(re.findall(r"^# HELP (\w+) (.*)$", text, re.MULTILINE))
    for name in kinds:
        if not name.endswith("_created"):
            assert helped[name] == " ".join(HELP[name.removeprefix("streamer_").removesuffix("_total")])
    same_json("metrics.json", {"kinds": kinds, "labels": {name: sorted(one) for name, one in labels.items()}})


def test_codes_of_errors_and_names_of_counters() -> None:
    """As they stand in the program: clients tell errors apart by their codes, and a room's counters become metrics."""
    codes: set[str] = set()
    counters: set[str] = set()
    for path in Path(streamer.__path__[0]).rglob("*.py"):
        source = path.read_text("utf-8")
        # To parse the whole program takes a second.
        if "code=" not in source and "_total" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.keyword(arg="code", value=ast.Constant(value=str(code))):
                    codes.add(code)
                case ast.Constant(value=str(name)) if re.fullmatch("[a-z][a-z_]*_total", name):
                    counters.add(name)
    counters -= set(HlsSettings.model_fields)
    same_json("codes.json", {"errors": sorted(codes), "counters": sorted(counters)})


def test_keys_of_the_browsers_storage() -> None:
    """Beginnings of what pages keep. Another key, and what somebody has set or typed is gone with the next version."""
    found: set[str] = set()
    for path in (Path(__file__).parents[3] / "web" / "src").rglob("*"):
        if path.suffix in (".ts", ".svelte") and ".test." not in path.name:
            found.update(re.findall(r"""['"`](streamer\.[^'"`$]*)""", path.read_text("utf-8")))
    same_json("storage_keys.json", sorted(found))


def test_the_command_line() -> None:
    group: Any = typer.main.get_command(command_line)
    found = {
        name: sorted(
            f"{' '.join(sorted(one.opts))}{' required' if one.required else ''} {one.default}" for one in command.params
        )
        for name, command in group.commands.items()
    }
    same_json("command_line.json", found)


SCHEDULE = Schedule(
    title="Journées d'été",
    acronym="ete_2026",
    timezone="Europe/Paris",
    version="2.1",
    url="https://conf.test/",
    language="fr",
    start_ms=NOON_MS - HOUR_MS,
    end_ms=NOON_MS + 30 * HOUR_MS,
    day_change_minutes=240,
    rooms=(ScheduleRoom("Grande salle", "6b1f0a52-8d0e-4c1c-9d1b-2f0c4f1c7e00", "grande", 300), ScheduleRoom("B")),
    items=(
        ScheduleItem(
            title="Ouverture; été, <R&D>",
            start_ms=NOON_MS,
            end_ms=NOON_MS + HOUR_MS,
            room="Grande salle",
            guid="6b1f0a52-8d0e-4c1c-9d1b-2f0c4f1c7e01",
            id="7",
            subtitle="Sous-titre",
            abstract="Un.\n\nDeux.",
            description="Plus.",
            speakers=("Ada", "Bob"),
            language="fr",
            track="Plénière",
            kind=Kind.CONFERENCE,
            tags=("a,b", "c"),
            url="https://conf.test/7",
            slug="ete-7-ouverture",
            do_not_record=Flag.YES,
            links=(("Lien", "https://conf.test/l"),),
            attachments=(("PDF", "https://conf.test/a.pdf"),),
            logo="https://conf.test/l.png",
            sequence=3,
        ),
        ScheduleItem(
            title="Nuit",
            start_ms=NOON_MS + 14 * HOUR_MS,
            end_ms=NOON_MS + 15 * HOUR_MS,
            room="B",
            guid="6b1f0a52-8d0e-4c1c-9d1b-2f0c4f1c7e02",
            id="8",
            kind=Kind.WORKSHOP,
            visibility=Visibility.PRIVATE,
        ),
    ),
)


@pytest.mark.parametrize(
    ("name", "write", "read"),
    [
        ("schedule.xml", write_frab, lambda data: read_frab(data, timezone="UTC")),
        ("schedule.json", write_json, lambda data: read_c3voc(data, timezone="UTC")),
        (
            "schedule.ics",
            lambda schedule: write_ical(schedule, stamp_ms=NOON_MS),
            lambda data: read_ical(data, timezone="UTC", now_ms=NOON_MS),
        ),
    ],
)
def test_schedule_files(name: str, write: Callable[[Schedule], bytes], read: Callable[[bytes], Schedule]) -> None:
    same_bytes(name, write(SCHEDULE).replace(__version__.encode(), b"VERSION"))
    same_json(f"{name}.read.json", by_name(read((DATA / name).read_bytes())))
