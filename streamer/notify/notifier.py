"""Decides, once a second and at each change of alarms, who is told of which alarm. On the loop, beside the director: it
hears of alarms and never keeps anybody waiting."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from streamer.broadcast.media_events import PUBLIC
from streamer.conference.alarms import Alarm
from streamer.conference.day import RoomDay, find
from streamer.conference.duty import (
    REOPENED_MS,
    Ringing,
    Shift,
    began,
    ended,
    is_confidential,
    is_lapsed,
    leaves_the_page,
    pictures_allowed,
    ring_order,
    step,
)
from streamer.conference.grants import Action, Grant, Target, hash_secret
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Session
from streamer.conference.visibility import Caller, alarm_told
from streamer.control.media_plane import MediaPlane
from streamer.errors import StreamerError
from streamer.notify.clip import clip_of
from streamer.notify.messages import Links, facts_of, without_details
from streamer.notify.operators import operators_hooks
from streamer.notify.outbox import MOST_WAITING, STORE_S, Outbox
from streamer.notify.senders import Sender
from streamer.notify.web_push import kept_key
from streamer.outgoing import Resolve
from streamer.settings import Settings
from streamer.store.database import Database
from streamer.store.hooks import Hook, HookKind, HookMessage, HookMessages, Hooks
from streamer.store.reach import grant_as_it_is
from streamer.store.shifts import LOOK, TAKE, AlarmKey, AlarmKeys, Rings, Shifts

TICK_S = 1.0
BOOK_S = 5.0
"""Grants change elsewhere, too: what is known of people is read again after this time."""
SETTLE_MS, ENDED_SETTLE_MS = 2_000, 15_000
"""After a start rooms must be heard first: until then nothing new rings; and nothing counts as over."""
TAKE_MS, LOOK_MS = 15 * 60_000, 60 * 60_000
"""The times for which a message's keys are good."""
MOST_STILLS = 50
AHEAD_MS = 5_000
"""The clip of an alarm ends at its trouble, and is this long."""

_log = structlog.get_logger(__name__)

Words = Callable[[Alarm, str, str], tuple[str, str]]
"""(alarm, language, zone) -> its cause and its remedy."""


class Acknowledged(Protocol):
    """Somebody has an alarm since ``at_ms``."""

    @property
    def who(self) -> str: ...
    @property
    def at_ms(self) -> int: ...


class KnownRooms(Protocol):
    """The director's knowledge of rooms."""

    def room(self, room_id: str, /) -> Room | None: ...
    def venue_of(self, room_id: str, /) -> Venue | None: ...
    def day(self, room_id: str, /) -> RoomDay: ...
    def find(self, session_id: str, /) -> Session | None: ...
    def acknowledged(self, room_id: str, /) -> Mapping[str, Acknowledged]: ...


@dataclass(frozen=True, slots=True)
class KnownCrew:
    """People as they are known now: ``grants`` by person, of those who have hooks; in force."""

    hooks: tuple[Hook, ...] = ()
    shifts: tuple[Shift, ...] = ()
    grants: Mapping[str, Grant] = field(default_factory=dict)
    read_ms: int = 0


@dataclass(frozen=True, slots=True)
class KeptStill:
    """The public picture at the time of a trouble."""

    at_ms: int
    jpeg: bytes


class Notifier:
    """``let_go`` takes an alarm from whoever has it. ``start`` it before the director, ``run`` it after. ``clock``: UTC
    milliseconds."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        plane: MediaPlane,
        day: KnownRooms,
        *,
        public_url: str,
        clock: Callable[[], int],
        words: Words,
        let_go: Callable[[str, str], Any],
        resolve: Resolve | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._plane = plane
        self._day = day
        self._public_url = public_url
        self._clock = clock
        self.words = words
        self._let_go = let_go
        self.sender = Sender(settings, public_url, lambda: kept_key(settings.data), resolve)
        self.outbox = Outbox(database, self.sender, clock=clock, prepare=self._prepare)
        self.faults = 0
        self._present: dict[str, dict[str, Alarm]] = {}
        self._rings: dict[str, Ringing] = {}
        self._said: dict[str, dict[str, Mapping[str, Any]]] = {}
        """Alarm -> hook -> the facts that it was told."""
        self._writing = asyncio.Lock()
        self._unstored_rings: set[str] = set()
        """Alarms whose rings could not be stored, and messages by id."""
        self._unstored: dict[str, HookMessage] = {}
        self._stills: OrderedDict[str, KeptStill] = OrderedDict()
        self._book = KnownCrew()
        self._fresh = False
        self._started_ms = 0
        self._woken = asyncio.Event()

    # --- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises StoreUnavailable."""
        own = operators_hooks(self.sender.apprise.items(), self._clock())
        async with self._database.write() as connection:
            await Hooks(connection).set_operators(own)
            self._rings = await Rings(connection).all()
            open_rings = [ring.alarm for ring in self._rings.values() if ring.ended_ms is None]
            self._said = await HookMessages(connection).said(open_rings)
        await self.outbox.start()
        self._started_ms = self._clock()

    async def run(self) -> None:
        """Until it is cancelled."""
        sending = asyncio.create_task(self.outbox.run(), name="outbox")
        try:
            while not sending.done():
                self._woken.clear()
                try:
                    await self.look()
                except StreamerError as error:
                    self.faults += 1
                    _log.warning("alarms_not_told", error=error.message)
                try:
                    async with asyncio.timeout(TICK_S):
                        await self._woken.wait()
                except TimeoutError:
                    pass
            sending.result()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def hear(self, room: str, alarms: Sequence[Alarm]) -> None:
        """All present alarms of a room. Quick."""
        now_ms = self._clock()
        before = self._present.get(room, {})
        present = {alarm.id: alarm for alarm in alarms if leaves_the_page(alarm)}
        self._present[room] = present
        for alarm in present.values():
            if alarm.id not in before:
                self._keep_still(alarm, room, now_ms)
        self._woken.set()

    def changed(self) -> None:
        """Hooks, shifts or grants have changed."""
        self._fresh = False
        self._woken.set()

    # --- looking ------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Tell whoever is to be told now. Raises StoreUnavailable if nothing of people is known yet."""
        now_ms = self._clock()
        age_ms = now_ms - self._started_ms
        present = {alarm.id: (room, alarm) for room, alarms in self._present.items() for alarm in alarms.values()}
        open_rings = {ring.alarm: ring for ring in self._rings.values() if ring.ended_ms is None}
        if not (present or open_rings or self._unstored_rings or self._unstored):
            return
        book = await self._people(now_ms)
        await self._lapse(book, now_ms)
        changed: list[Ringing] = []
        messages: list[HookMessage] = []
        for alarm_id, (room, alarm) in present.items():
            ring = open_rings.get(alarm_id)
            if ring is None:
                if age_ms < SETTLE_MS:
                    continue
                ring = began(self._rings.get(alarm_id), alarm, room, now_ms)
            after, persons = self._step(ring, alarm, room, book, now_ms)
            if after != self._rings.get(alarm_id):
                changed.append(after)
            messages += self._began(alarm, room, persons, book, now_ms)
        for ring in open_rings.values():
            if ring.alarm not in present and age_ms >= ENDED_SETTLE_MS:
                over, persons = ended(ring, now_ms)
                changed.append(over)
                messages += self._ended(over, persons, book, now_ms)
        for ring in changed:
            self._rings[ring.alarm] = ring
        forgotten = [r.alarm for r in self._rings.values() if r.ended_ms and now_ms - r.ended_ms >= REOPENED_MS]
        for alarm_id in forgotten:
            del self._rings[alarm_id]
        if changed or messages or forgotten or self._unstored_rings or self._unstored:
            await self._write(changed, messages, forgotten, book)

    def _step(
        self, ring: Ringing, alarm: Alarm, room: str, book: KnownCrew, now_ms: int
    ) -> tuple[Ringing, tuple[str, ...]]:
        held = alarm.snoozed_until_ms is not None or alarm.id in self._day.acknowledged(room)
        venue = self._venue(room)
        reachable = {
            hook.person
            for hook in book.hooks
            if (grant := book.grants.get(hook.person)) is not None and self._may_hear(grant, alarm, room)
        }
        after, persons = step(ring, held, ring_order(book.shifts, venue, reachable, now_ms), now_ms)
        if persons and _ALWAYS not in after.told:
            return replace(after, told=(*after.told, _ALWAYS)), (*persons, _ALWAYS)
        return after, persons

    def _may_hear(self, grant: Grant, alarm: Alarm, room: str) -> bool:
        venue = self._venue(room)
        if not grant.allows(Action.ALARM_ACKNOWLEDGE, Target(room=room, venue=venue)):
            return False
        return alarm_told(Caller(grant), alarm, self._day.find, room, venue) is not None

    async def _lapse(self, book: KnownCrew, now_ms: int) -> None:
        for room, alarms in self._present.items():
            if self._day.room(room) is None:
                continue
            for alarm_id, taken in list(self._day.acknowledged(room).items()):
                if alarm_id in alarms and is_lapsed(taken.who, taken.at_ms, book.shifts, self._venue(room), now_ms):
                    await self._let_go(room, alarm_id)

    def _venue(self, room: str) -> str | None:
        venue = self._day.venue_of(room)
        return None if venue is None else venue.id

    # --- messages -----------------------------------------------------------------------------------

    def _began(
        self, alarm: Alarm, room_id: str, persons: Sequence[str], book: KnownCrew, now_ms: int
    ) -> list[HookMessage]:
        room, day = self._day.room(room_id), self._day.day(room_id)
        if room is None or not persons:
            return []
        confidential = is_confidential(alarm, day, now_ms)
        session = None if confidential or alarm.session is None else find(day, alarm.session)
        out = []
        for hook in self._hooks(persons, book, alarm, room_id):
            cause, remedy = self.words(alarm, hook.language, day.zone)
            facts = facts_of(
                alarm,
                room,
                cause,
                remedy,
                session.title if session is not None else "",
                day.zone,
                confidential=confidential,
            )
            self._said.setdefault(alarm.id, {})[hook.id] = facts
            out.append(new_message(hook, "began", now_ms, facts, alarm.id))
        return out

    def _hooks(self, persons: Sequence[str], book: KnownCrew, alarm: Alarm, room: str) -> list[Hook]:
        """Each once."""
        found = [hook for hook in book.hooks if not hook.always and hook.person in persons]
        if _ALWAYS in persons:
            found += [
                hook
                for hook in book.hooks
                if hook.always
                and (grant := book.grants.get(hook.person)) is not None
                and self._may_hear(grant, alarm, room)
            ]
        return found

    def _ended(self, ring: Ringing, persons: Sequence[str], book: KnownCrew, now_ms: int) -> list[HookMessage]:
        """The end is told in the words of the beginning, to the hooks that were told of it."""
        said = self._said.pop(ring.alarm, {})
        return [
            new_message(hook, "ended", now_ms, said[hook.id], ring.alarm)
            for hook in book.hooks
            if hook.id in said and (hook.person in persons or (hook.always and _ALWAYS in persons))
        ]

    async def _write(
        self, changed: Sequence[Ringing], messages: Sequence[HookMessage], forgotten: Sequence[str], book: KnownCrew
    ) -> None:
        kinds = {hook.id: hook.kind for hook in book.hooks}
        async with self._writing:
            planned = self.outbox.planned(messages, kinds)
            self._unstored_rings |= {ring.alarm for ring in changed}
            rings = [self._rings[name] for name in self._unstored_rings if name in self._rings]
            unstored = {name: self.outbox.now(message) for name, message in self._unstored.items()}
            unstored |= {message.id: message for message in planned}
            self._unstored = dict([*unstored.items()][-MOST_WAITING:])
            try:
                async with asyncio.timeout(STORE_S), self._database.write() as connection:
                    await Rings(connection).put([ring for ring in rings if self._day.room(ring.room) is not None])
                    await Rings(connection).remove(forgotten)
                    await HookMessages(connection).put(self._unstored.values())
                self._unstored_rings, self._unstored = set(), {}
            except (StreamerError, TimeoutError) as error:
                # They are sent all the same, and stored at the next look: a restart until then would tell them again.
                self.faults += 1
                _log.warning("alarm_messages_not_stored", error=str(error) or type(error).__name__)
            # Not before: a process that died in between would have told what the next one does not know of.
            self.outbox.send(planned)

    async def offer(self, shift: Shift, by: str, persons: Sequence[str]) -> None:
        """Tell that somebody hands over their duty."""
        book, now_ms = await self._people(self._clock()), self._clock()
        messages = [
            new_message(hook, "offered", now_ms, {"label": by, "shift": shift.id, "venue": shift.venue})
            for hook in book.hooks
            if hook.person in persons
        ]
        await self._write((), messages, (), book)

    async def test(self, hook: Hook) -> str:
        """Send a test message now, and note it in the log. Returns the code of its failure; empty: it arrived."""
        message = replace(new_message(hook, "test", self._clock(), {}), due_ms=None)
        async with self._database.write() as connection:
            await HookMessages(connection).put([message])
        return await self.outbox.send_now(hook, message)

    # --- people -------------------------------------------------------------------------------------

    async def _people(self, now_ms: int) -> KnownCrew:
        """Raises StoreUnavailable if nothing is known yet and the database is away."""
        if self._fresh and now_ms - self._book.read_ms < BOOK_S * 1000:
            return self._book
        self._fresh = True
        try:
            async with asyncio.timeout(STORE_S):
                self._book = await self._read_people(now_ms)
        except (StreamerError, TimeoutError) as error:
            self._fresh = False
            if not self._book.read_ms and isinstance(error, StreamerError):
                raise
        return self._book

    async def _read_people(self, now_ms: int) -> KnownCrew:
        async with self._database.read() as connection:
            hooks = await Hooks(connection).all()
            # A shift that is just over still ends what its person has.
            shifts = await Shifts(connection).since(now_ms - REOPENED_MS)
            grants = {}
            for person in dict.fromkeys(hook.person for hook in hooks):
                grant = await grant_as_it_is(connection, person, now_ms)
                if grant is not None and grant.in_force(now_ms):
                    grants[person] = grant
        return KnownCrew(tuple(hooks), tuple(shifts), grants, now_ms)

    # --- links, keys, pictures ----------------------------------------------------------------------

    async def _prepare(self, hook: Hook, message: HookMessage) -> tuple[HookMessage, Links]:
        """The message as it may be told now, with fresh keys for one person and one alarm."""
        room = str(message.facts.get("room", ""))
        if message.kind == "offered":
            return message, Links(page=f"{self._public_url}/studio")
        if not room or self._day.room(room) is None:
            return message, Links()
        if is_confidential(self._present.get(room, {}).get(message.alarm), self._day.day(room), self._clock()):
            # The session was closed since the alarm began.
            message = replace(message, facts=without_details(message.facts))
        if message.kind != "began" or hook.kind is HookKind.APPRISE:
            return message, Links()
        return message, await self._links(hook, message, room)

    async def _links(self, hook: Hook, message: HookMessage, room: str) -> Links:
        now_ms = self._clock()
        take, look = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        at_ms = int(message.facts.get("since_ms") or message.created_ms)
        key = AlarmKey(hash_secret(take), hook.grant, TAKE, message.alarm, room, at_ms, now_ms + TAKE_MS)
        keys = [key]
        pictures = "since_ms" in message.facts
        if pictures:
            keys.append(replace(key, secret_sha256=hash_secret(look), purpose=LOOK, expires_ms=now_ms + LOOK_MS))
        try:
            async with asyncio.timeout(STORE_S), self._database.write() as connection:
                await AlarmKeys(connection).add(keys)
        except (StreamerError, TimeoutError):
            return Links()
        base = f"{self._public_url}/alarm"
        if not pictures:
            return Links(page=f"{base}/{take}", take=f"{base}/{take}")
        return Links(f"{base}/{take}/{look}", f"{base}/{take}", f"{base}/{look}/still.jpg", f"{base}/{look}/clip.mp4")

    async def key(self, secret: str, purpose: str) -> AlarmKey | None:
        """The key of a link, if it is good for this purpose now."""
        async with self._database.read() as connection:
            found = await AlarmKeys(connection).find(hash_secret(secret))
        if found is None or found.purpose != purpose or found.expires_ms <= self._clock():
            return None
        return found

    def present(self, key: AlarmKey) -> Alarm | None:
        """The key's alarm, if it lasts."""
        return self._present.get(key.room, {}).get(key.alarm)

    def still(self, key: AlarmKey) -> bytes | None:
        """The public picture at the time of the trouble, or the newest; None where there is none, or must not be."""
        link = self._plane.rooms.get(key.room)
        output = None if link is None else link.view.outputs.get(PUBLIC)
        newest = None if output is None else output.still
        kept = self._stills.get(key.alarm)
        for at_ms, jpeg in [(one.at_ms, one.jpeg) for one in (kept, newest) if one is not None]:
            if self.shows(key, at_ms, at_ms + 1):
                return jpeg
        return None

    async def clip(self, key: AlarmKey) -> bytes | None:
        """The public seconds before the trouble as an MP4; None where there are none, or must not be."""
        link, from_ms = self._plane.rooms.get(key.room), key.at_ms - AHEAD_MS
        if link is None or not self.shows(key, from_ms, key.at_ms):
            return None
        return await clip_of(link, self._settings.room_dir(key.room), from_ms, key.at_ms)

    def shows(self, key: AlarmKey, from_ms: int, to_ms: int) -> bool:
        """Whether pictures of this time may be shown for the key."""
        if self._day.room(key.room) is None:
            return False
        day, now_ms = self._day.day(key.room), self._clock()
        alarm = self.present(key)
        if alarm is not None and is_confidential(alarm, day, now_ms):
            return False
        return pictures_allowed(day, from_ms, to_ms)

    def _keep_still(self, alarm: Alarm, room: str, now_ms: int) -> None:
        """In memory, and no more than some of them."""
        link = self._plane.rooms.get(room)
        output = None if link is None else link.view.outputs.get(PUBLIC)
        if output is None or output.still is None or self._day.room(room) is None:
            return
        if is_confidential(alarm, self._day.day(room), now_ms):
            return
        self._stills[alarm.id] = KeptStill(output.still.at_ms, output.still.jpeg)
        self._stills.move_to_end(alarm.id)
        while len(self._stills) > MOST_STILLS:
            self._stills.popitem(last=False)


_ALWAYS = "*"
"""Stands among people for the hooks that hear of every alarm."""


def new_message(hook: Hook, kind: str, now_ms: int, facts: Mapping[str, Any], alarm: str = "") -> HookMessage:
    return HookMessage(f"msg_{secrets.token_hex(12)}", hook.id, kind, alarm, facts, now_ms, now_ms)
