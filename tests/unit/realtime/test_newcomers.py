"""Flooding by ever new identities from one address, and a hall that comes in and speaks at once."""

from __future__ import annotations

import asyncio
import json
import random
import time
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streamer.audience.command_table import AUDIENCE_COMMANDS
from streamer.buckets import Bucket, Buckets
from streamer.realtime import commands
from streamer.realtime.commands import Commands
from streamer.realtime.hub import AUDIENCE, Client
from streamer.realtime.stats import Stats
from streamer.settings import RealtimeSettings
from tests.fakes.attendees import RawClient
from tests.fakes.talking import ScriptedDirector, audience_of, served

PHONES = 300


async def test_fresh_identities_of_one_address_flood_nothing(tmp_path: Path) -> None:
    """150 messages in a second and a half, each under a cookie of its own."""
    director = ScriptedDirector()
    async with (
        audience_of(director, tmp_path) as real,
        served(director, audience=real) as service,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        phones = [await RawClient.open(http, service.url, room="a", name=f"N{number}") for number in range(150)]
        for phone in phones:
            await phone.message()
        began = time.monotonic()

        async def said(number: int, phone: RawClient) -> dict[str, Any]:
            await asyncio.sleep(number / 100)
            await phone.socket.send_str(f'42/audience,1["chat.send",{{"text":"spam number {number}"}}]')
            while True:
                text = await phone.text()
                if text.startswith("43/audience,1"):
                    answer: dict[str, Any] = json.loads(text.partition("1")[2])[0]
                    return answer

        answers = await asyncio.gather(*(said(number, phone) for number, phone in enumerate(phones)))
        took_s = time.monotonic() - began
        settings = RealtimeSettings()
        let_in = sum(answer["ok"] for answer in answers)
        assert 1 <= let_in <= settings.newcomers_burst + settings.newcomers_per_s * took_s + 1
        refused = [answer["error"] for answer in answers if not answer["ok"]]
        assert {error["code"] for error in refused} == {"rate_limited"}
        assert all(error["retry_after"] >= 1 for error in refused)
        # It does not keep out people who speak for the crew.
        service.access.admit("ada", "speaker", room="a")
        speaker = await service.connect(room="a", token="ada")
        assert (await speaker.command("chat.send", {"text": "Please stop."}))["ok"]
        # Another household is not concerned.
        elsewhere = await service.connect(room="a", headers={"X-Test-Address": "192.0.2.9"})
        assert (await elsewhere.command("chat.send", {"text": "What happens there?"}))["ok"]


class Hall:
    """The commands of phones behind one address, with a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(commands, "Buckets", partial(Buckets, clock=lambda: self.now_s))
        director = ScriptedDirector()
        others: Any = dict.fromkeys(("access", "views"))
        self.commands = Commands(
            {AUDIENCE: AUDIENCE_COMMANDS},
            director=director,
            audience=self,  # type: ignore[arg-type]
            settings=RealtimeSettings(**settings),
            stats=Stats(),
            clock=lambda: round(self.now_s * 1000) + 1_000_000_000,
            **others,
        )

    async def run(self, _scope: Any, _who: Any, _command: Any, _once: Any = None) -> dict[str, Any]:
        return {"name": "", "place": ""}

    def phone(self, number: int, came_s: float) -> Client:
        since_ms = round(came_s * 1000) + 1_000_000_000
        bucket = Bucket(20, 10, lambda: self.now_s)
        wire: Any = None
        return Client(
            sid=str(number), namespace=AUDIENCE, wire=wire, channel="a", address="192.0.2.1", member=f"p{number}",
            bucket=bucket, room="a", since_ms=since_ms,
        )  # fmt: skip

    async def refused(self, commands: list[tuple[float, Client, str, dict[str, Any]]]) -> int:
        count = 0
        for self.now_s, client, name, payload in sorted(commands, key=lambda command: command[0]):
            count += not (await self.commands.answer(client, name, [payload]))["ok"]
        return count


@pytest.mark.parametrize("seed", range(5))
async def test_a_hall_of_300_phones_comes_in_and_speaks(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """All join within a minute. Each takes a name, says something within some tens of seconds, votes in a poll that is
    open for some, and reacts."""
    dice, hall = random.Random(seed), Hall(monkeypatch)
    commands = []
    for number in range(PHONES):
        came_s = dice.uniform(0, 40)
        phone = hall.phone(number, came_s)
        says: tuple[str, dict[str, Any]] = ("chat.send", {"text": f"Hello {number}"})
        if number % 6 == 0:
            says = ("question.ask", {"text": f"Why {number}?"})
        commands += [
            (came_s + 1, phone, "name.set", {"name": f"N{number}"}),
            (came_s + dice.uniform(1, 20), phone, *says),
            (dice.uniform(41, 59), phone, "poll.vote", {"id": "x", "options": [0]}),
            *((came_s + dice.uniform(0, 60), phone, "reaction", {"kind": "clap"}) for _ in range(5)),
        ]
    assert await hall.refused(commands) == 0


async def test_a_hall_that_votes_within_a_second_of_coming_in_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code for joining stands on the wall beside the poll. Who stuffs the ballot is held back by the rate."""
    hall, dice = Hall(monkeypatch), random.Random(1)
    vote = {"id": "x", "options": [0]}
    votes = [(dice.uniform(0, 1), hall.phone(number, 0), "poll.vote", vote) for number in range(PHONES)]
    assert await hall.refused([(at, phone, name, dict(payload)) for at, phone, name, payload in votes]) == 0
    settings = RealtimeSettings()
    flood = [(2.0 + number / 1000, hall.phone(1000 + number, 1), "poll.vote", vote) for number in range(3000)]
    let_in = len(flood) - await hall.refused(flood)
    assert let_in <= settings.newcomers_votes_burst + 2 * settings.newcomers_per_s * 5


async def test_who_is_no_newcomer_any_more_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    hall = Hall(monkeypatch)
    at_once = [(61.0, hall.phone(number, 0), "chat.send", {"text": "All at once"}) for number in range(PHONES)]
    assert await hall.refused(at_once) == 0
    hall = Hall(monkeypatch)
    at_once = [(59.0, hall.phone(number, 0), "chat.send", {"text": "All at once"}) for number in range(PHONES)]
    assert await hall.refused(at_once) == PHONES - RealtimeSettings().newcomers_burst
    hall = Hall(monkeypatch, newcomer_s=0)
    assert await hall.refused(at_once) == 0
