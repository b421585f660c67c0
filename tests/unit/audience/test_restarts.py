"""After any actions of people and moderators, a scope that is loaded anew from the database shows everybody the
same."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.audience.people import Crew, Participant
from streamer.conference.sessions import SessionState
from streamer.errors import StreamerError
from tests.fakes.random_talk import PEOPLE, act
from tests.fakes.talkers import HALL, START_MS, Clock, Days, Hall, hall, store_sessions, talk


class Wishes:
    """Looks like a world to what people do by chance, and notes what they want to have done."""

    def __init__(self, made: Hall) -> None:
        self._made = made
        self._texts = itertools.count()
        self.actions: list[str] = []
        self.wanted: list[Any] = []

    @property
    def state(self) -> Any:
        return self._made.audience._audiences[HALL.key].working

    def text(self, word: str = "") -> str:
        return f"text-{next(self._texts)}- {word}"

    def do(self, who: Participant | Crew, command: Any) -> None:
        self.wanted.append((who, command))

    def refocus(self, session: str | None) -> None:
        self.wanted.append(session or "")

    def come_out(self) -> None:
        self._made.clock.pass_s(40)

    def remember(self) -> None: ...

    async def _go_on_to(self, wish: str) -> None:
        """Another session is on, or none; the one that was has ended."""
        now_ms, known = self._made.clock.now_ms, list(self._made.days.sessions("hall"))
        running = [one for one in known if one.running]
        if not wish and not running:
            return
        ended = [replace(one, state=SessionState.ENDED, ended_ms=now_ms) if one.running else one for one in known]
        begun = [talk(f"s{len(known)}", now_ms)] if wish else []
        await store_sessions(self._made, *ended, *begun)

    async def have(self) -> None:
        wanted, self.wanted = self.wanted, []
        for wish in wanted:
            if isinstance(wish, str):
                await self._go_on_to(wish)
                continue
            try:
                answer = await self._made.do(*wish)
            except StreamerError:
                continue
            if answer["action"] is not None:
                self.actions.append(answer["action"])


async def seen(made: Hall) -> dict[str, Any]:
    """The state that everybody sees. Claims and presence belong to the process; names without a message stand in the
    database."""
    found = {"public": dict(await made.public()), "moderators": dict(await made.moderators())}
    for what in ("presence", "claims"):
        found["moderators"].pop(what)
    found["public"].pop("presence")
    # An undo may bring back what was put away with a session that is long over.
    left = set(found["moderators"]["left_over"])
    found["moderators"]["questions"] = [
        question for question in found["moderators"]["questions"] if not question["archived"] or question["id"] in left
    ]
    for who in PEOPLE:
        found[who.id] = dict(await made.own(who))
        found[who.id]["you"] = {**found[who.id]["you"], "name": None}
    for told in found.values():
        for name, items in told.items():
            if isinstance(items, list) and items and isinstance(items[0], dict) and "id" in items[0]:
                told[name] = sorted(items, key=lambda item: str(item["id"]))
    return found


async def scenario(folder: Path, data: st.DataObject) -> None:
    clock, days = Clock(), Days()
    async with hall(folder, clock=clock, days=days, blocked_words=("rubbish",)) as made:
        await store_sessions(made, talk("s0", START_MS - 20_000))
        await made.public()
        wishes = Wishes(made)
        for _ in range(data.draw(st.integers(5, 30))):
            act(wishes, data.draw)  # type: ignore[arg-type]
            await wishes.have()
            await made.audience.tick()
        await made.audience.repository.flushed()
        await made.audience.tick()
        before = await seen(made)
    async with hall(folder, clock=clock, days=days, blocked_words=("rubbish",)) as made:
        after = await seen(made)
    for viewpoint, told in before.items():
        for name, items in told.items():
            assert after[viewpoint][name] == items, (viewpoint, name)


@settings(max_examples=8, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_scope_that_is_loaded_anew_shows_the_same(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(scenario(Path(folder), data))
