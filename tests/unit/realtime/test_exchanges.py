"""The worked exchanges of the protocol's page, played against a real server with a real audience."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from streamer.conference.alarms import Alarm
from streamer.control.messages import SourceStatus, TrackStatus
from tests.fakes.attendees import Attendee
from tests.fakes.media_plane import FakeRoom
from tests.fakes.talking import ScriptedDirector, Service, audience_of, served
from tests.fakes.waiting import until

PAGE = (files("streamer.realtime") / "protocol.md").read_text("utf-8")
EXCHANGES: dict[str, str] = dict(
    re.findall(r"^### ([^\n]+)\n(?:(?!^#).)*?^~~~\n(.*?)^~~~$", PAGE.split("\n## Coming in\n")[0], re.M | re.S)
)
LEFT_OUT = "…"
ROOM, TALK = "turing", "talk-7"
BOUND = {"id", "ids", "participant", "key", "seq", "since", "at", "media_at", "action", "undone", "until"}
"""Fields whose values are others each time: what the page calls them stands for one value."""
READING = {"sound": {"momentary_lufs": -23.0}}
ALARM = Alarm(
    f"sound_silent:{ROOM}:main",
    "sound_silent",
    "alarm",
    1_700_000_000_000,
    "technician",
    details={"source": "main"},
)


@dataclass
class Step:
    who: str
    sent: bool
    name: str
    value: Any
    options: Any = None


def _steps(text: str) -> Iterator[Step]:
    for part in re.split(r"\n(?=\w+ +(?:->|<-) )", text.strip()):
        who, arrow, name, body = part.split(maxsplit=3)
        value, *options = json.loads(f"[{body}]")
        yield Step(who, arrow == "->", name, value, *options)


@dataclass
class Values:
    """The real ids, keys and times for those on the page."""

    known: dict[Any, Any] = field(default_factory=dict)

    def of(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.of(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.of(one) for one in value]
        return value if isinstance(value, bool) else self.known.get(value, value)

    def check(self, page: Any, real: Any, name: str = "") -> None:
        if isinstance(page, dict):
            fields = page.keys() - {LEFT_OUT}
            assert isinstance(real, dict), name
            missing = fields - real.keys() if LEFT_OUT in page else fields ^ real.keys()
            assert missing == set(), name
            for key in fields:
                self.check(page[key], real[key], key)
        elif isinstance(page, list):
            assert len(page) == len(real), (name, real)
            for one, other in zip(page, real, strict=True):
                self.check(one, other, name)
        elif name in BOUND and page is not None:
            assert type(page) is type(real), (name, real)
            assert self.known.setdefault(page, real) == real, (name, page)
        else:
            assert self.known.get(page, page) == real, (name, real)


@dataclass
class Play:
    service: Service
    room: FakeRoom
    values: Values = field(default_factory=Values)
    clients: dict[str, Attendee] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    """The number of each client's events that have been looked at."""

    async def step(self, step: Step) -> None:
        if step.name == "connect":
            await self.connect(step)
        elif step.sent:
            client = self.clients[step.who]
            self.answers[step.who] = await client.command(step.name, self.values.of(step.value), step.options)
        elif step.name == "answer":
            self.values.check(step.value, self.answers.pop(step.who))
        elif step.name == "snapshot":
            self.values.check(step.value, self.clients[step.who].snapshots[0])
        else:
            assert step.name == "events"
            for event in step.value:
                await self.event(step.who, event)

    async def connect(self, step: Step) -> None:
        if (before := self.clients.get(step.who)) is not None:
            await before.close()
        client = await self.service.connect(step.value["namespace"], **self.values.of(step.value["auth"]))
        self.clients[step.who], self.heard[step.who] = client, 0

    async def event(self, who: str, page: dict[str, Any]) -> None:
        client, kind = self.clients[who], page["type"]

        def following() -> int | None:
            numbers = range(self.heard[who], len(client.events))
            return next((number for number in numbers if client.events[number]["type"] == kind), None)

        for type_, name, value, bring_about in ELSEWHERE:
            if (type_, value) == (kind, page["data"].get(name)):
                bring_about(self)
        await until(lambda: following() is not None)
        number = following()
        assert number is not None
        self.values.check(page, client.events[number])
        self.heard[who] = number + 1


def _camera(play: Play) -> None:
    assert play.room.status is not None
    track = TrackStatus("h264", 3_000_000, width=1280, height=720)
    source = SourceStatus("main", True, "p1", "OBS", connection="connected", video=track, passthrough=True)
    play.room.status.sources["main"] = source
    play.service.plane.tell(play.room, "status")


def _meters(play: Play) -> None:
    play.room.meters = READING
    play.service.plane.tell(play.room, "meters")


ELSEWHERE: Sequence[tuple[str, str, Any, Callable[[Play], None]]] = (
    ("publication.changed", "up", True, _camera),
    ("meters", "room", ROOM, _meters),
    ("alarm", "ringing", True, lambda play: play.service.director.ring(ROOM, ALARM)),
    ("broadcast.changed", "state", "live", lambda play: setattr(play.room, "state", "live")),
)
"""Type of an event, a field of its data with a value, and what brings it about, where no command on the page does."""


@pytest.mark.parametrize("title", EXCHANGES)
async def test_the_exchanges_of_the_page_are_as_they_are_told(title: str, tmp_path: Path) -> None:
    director = ScriptedDirector(ROOM)
    director.plan(TALK, begins_in=-1, room=ROOM, title="Small languages")
    async with (
        audience_of(director, tmp_path) as audience,
        served(director, audience=audience, newcomer_s=0) as service,
    ):
        for token, role in (("mia", "moderator"), ("anna", "technician")):
            service.access.admit(token, role, room=ROOM)
        play = Play(service, await service.open_room(ROOM))
        if "/studio" not in EXCHANGES[title]:
            anna = await service.connect("/studio", room=ROOM, token="anna")
            assert (await anna.command("session.start"))["ok"]
        service.realtime.feed.look()
        for step in _steps(EXCHANGES[title]):
            await play.step(step)


def test_there_are_three_of_them() -> None:
    assert len(EXCHANGES) == 3
