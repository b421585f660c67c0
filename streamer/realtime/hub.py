"""Channels and their readers. Events are encoded once and sent in order: at once when it is quiet, several in a message
under load.

A slow reader costs its position in the log and the data in its transport (64 KiB and a message), no copies. It is cut
off when it is too far behind, and comes back with ``since``.

Clients whose connections end in a front process are in the core's channels too, but served by the front's own hub: each
event goes once to each front that has readers of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import structlog

from streamer.audience.people import Participant
from streamer.audience.scope import Scope
from streamer.audience.views import moment
from streamer.buckets import Bucket
from streamer.conference.grants import Action, Grant, Role, Target
from streamer.realtime.access import AuthenticatedCaller, Clock
from streamer.realtime.engine import Wire
from streamer.realtime.log import Log, LogEntry, Sequence
from streamer.realtime.messages import EVERY_ROOM
from streamer.realtime.packets import OutgoingMessage, pack_events
from streamer.realtime.stats import Stats
from streamer.settings import RealtimeSettings

AUDIENCE, MODERATION, STUDIO = "/audience", "/moderation", "/studio"
NAMESPACES = frozenset({AUDIENCE, MODERATION, STUDIO})

MOST_IN_A_MESSAGE = 200
MESSAGE_BYTES = 128 * 1024
"""A message ends with the event that exceeds this."""
SLICE = 250
"""Clients that are served before the loop does other work."""
PACE = 4.0
MOST_PACE_S = 0.1
"""Serving a channel takes at most a fifth of the loop's time, because the loop also serves video: the next round waits
four times as long as the last took, and not longer than this. Events that come meanwhile travel together."""
LOOK_AGAIN_S = 0.05
TRIM_EVERY_S = 5.0

log = structlog.get_logger(__name__)


class Front(Protocol):
    """A front process, which serves clients of its own."""

    def post(self, channel: EventChannel[Any], entry: LogEntry, to: list[str] | None) -> None:
        """``to``: the clients that may have it; None: all of the channel."""

    def forget(self, channel: EventChannel[Any], about: str) -> None: ...


@dataclass(slots=True, eq=False, kw_only=True)
class ChannelReader:
    """One client in one namespace. ``channel``: a room's id, ``session:{id}`` or ``*``."""

    sid: str
    namespace: str
    wire: Wire
    channel: str = ""
    member: str = ""
    """The participant in an audience; elsewhere the client itself."""
    front: Front | None = None
    """The front process that serves it."""
    cursor: int = 0
    lagging_since: float | None = None

    def may_have(self, entry: LogEntry, target: Target | None) -> bool:
        """Whether the client may get the entry. ``target``: the entry's room, for a client of several rooms."""
        return entry.to is None or self.sid in entry.to


R = TypeVar("R", bound=ChannelReader)


@dataclass(slots=True, eq=False, kw_only=True)
class Client(ChannelReader):
    """One that this process judges."""

    address: str
    bucket: Bucket
    caller: AuthenticatedCaller | None = None
    room: str = ""
    """The room of its commands; empty with ``*``."""
    session: str | None = None
    """The closed session whose audience it is in."""
    asked: str | None = None
    """The session that it named when it came in: a public session's audience is its room's."""
    link: str = ""
    """The key of an unlisted session's shared link that it brought."""
    name: str = ""
    place: str = ""
    role: str | None = None
    """The role that others see: the grant's role if it holds in this room."""
    since: int | None = None
    since_ms: int = 0
    """The time when the participant's identity was made, UTC milliseconds."""
    key: str | None = None
    """The token of an identity that was just made."""
    joined: bool = False
    """Whether the audience counts it."""
    snapshot: Any = None
    """The audience's part of its snapshot, until it is sent."""
    renewed_at: float = field(default_factory=time.monotonic)

    @property
    def grant(self) -> Grant | None:
        return None if self.caller is None else self.caller.grant

    @property
    def scope(self) -> Scope:
        """The audience that it is in, or moderates."""
        return Scope(self.room, self.session)

    @property
    def participant(self) -> Participant:
        """The participant of a client of ``/audience``."""
        role = None if self.role is None else Role(self.role)
        return Participant(self.member, self.name, self.place, role, self.since_ms)

    def may_have(self, entry: LogEntry, target: Target | None) -> bool:
        if entry.only is not None and entry.only != self.member:
            return False
        if entry.for_all and target is None:
            return True
        grant = self.grant
        if entry.stage is not None and (grant is None or not grant.allows(Action.STAGE_READ, entry.stage)):
            return False
        if target is not None and (grant is None or not grant.allows(Action.ROOM_AIR, target)):
            return False
        if entry.closed is not None:
            return grant is not None and grant.allows(Action.SESSION_READ_CLOSED, entry.closed)
        return True


@dataclass(slots=True, eq=False)
class EventChannel(Generic[R]):
    namespace: str
    name: str
    log: Log
    clients: dict[R, None] = field(default_factory=dict)
    elsewhere: dict[Front, dict[R, None]] = field(default_factory=dict)
    """The clients that front processes serve."""
    due_at: float = 0.0
    """It is not served before this time."""

    @property
    def is_read(self) -> bool:
        return bool(self.clients or self.elsewhere)


@dataclass(slots=True)
class _Batch:
    last: int
    message: OutgoingMessage | None
    """The events that all may have; None if there are none, or if each client needs its own message."""
    shared: int
    """The number of these events."""
    entries: list[LogEntry]
    special: list[LogEntry]
    """Events that are not for all."""
    only: frozenset[str] = frozenset()
    """If every special event belongs to one participant: these participants. The others need not be checked."""
    each: bool = False
    """Whether each client needs a message of its own."""


TargetOf = Callable[[str], Target | None]


class Hub(Generic[R]):
    """``target_of``: room id -> its target, for clients of all rooms."""

    def __init__(self, settings: RealtimeSettings, stats: Stats, clock: Clock, target_of: TargetOf) -> None:
        self._settings = settings
        self._stats = stats
        self._clock = clock
        self._target_of = target_of
        self._channels: dict[tuple[str, str], EventChannel[R]] = {}
        self._sequences = {namespace: Sequence(clock) for namespace in (MODERATION, STUDIO)}
        self._dirty: dict[EventChannel[R], None] = {}
        self._lagging: dict[R, EventChannel[R]] = {}
        self._woken = asyncio.Event()

    # --- posting ------------------------------------------------------------------------------------

    def channel(self, namespace: str, name: str, begin: int | None = None) -> EventChannel[R]:
        """The channel; made if it does not exist, in a front process from an event's number on."""
        found = self._channels.get((namespace, name))
        if found is None:
            # The crew may read several rooms as one, so their numbers come from one counter. In public each channel has
            # its own: a number tells nothing about closed sessions.
            sequence = self._sequences.get(namespace) or Sequence(self._clock)
            settings = self._settings
            found = self._channels[namespace, name] = EventChannel(
                namespace,
                name,
                Log(
                    sequence,
                    begin=begin,
                    max_events=settings.log_events,
                    max_bytes=settings.log_bytes,
                    max_age_ms=round(settings.log_s * 1000),
                ),
            )
        return found

    def existing(self, namespace: str, name: str) -> EventChannel[R] | None:
        return self._channels.get((namespace, name))

    def post(
        self,
        namespace: str,
        name: str,
        kind: str,
        data: Any,
        *,
        room: str = "",
        media_at: int | None = None,
        about: str = "",
        only: str | None = None,
        closed: Target | None = None,
        stage: Target | None = None,
        replaces: str = "",
    ) -> int:
        """Send an event to a channel; for the crew also to the channel of all rooms. Returns its ``seq``.

        ``data`` is encoded here, at once; the other arguments are those of :class:`~streamer.realtime.log.LogEntry`.
        """
        names = (name, EVERY_ROOM) if namespace == STUDIO and name != EVERY_ROOM else (name,)
        channels = [self.channel(namespace, each) for each in names]
        seq, at_ms = channels[0].log.next_seq(), self._clock()
        event: dict[str, Any] = {"seq": seq, "type": kind, "at": moment(at_ms)}
        if media_at is not None:
            event["media_at"] = media_at
        event["data"] = data
        json = msgspec.json.encode(event)
        entry = LogEntry(seq, at_ms, json, room or name, about, only, closed, stage, replaces)
        for channel in channels:
            self.append(channel, entry)
        self._stats.events_total += 1
        return seq

    def append(self, channel: EventChannel[R], entry: LogEntry) -> None:
        channel.log.append(entry)
        for front, clients in channel.elsewhere.items():
            to = None
            if channel.name == EVERY_ROOM or not entry.for_all:
                target = self._target(channel, entry)
                to = [client.sid for client in clients if client.may_have(entry, target)]
            if to is None or to:
                front.post(channel, entry, to)
        if channel.clients:
            self._dirty[channel] = None
            self._woken.set()

    def forget(self, namespace: str, name: str, about: str) -> None:
        """Send earlier events about ``about`` to nobody any more."""
        for each in (name, EVERY_ROOM):
            channel = self._channels.get((namespace, each))
            if channel is not None:
                channel.log.forget(about)
                for front in channel.elsewhere:
                    front.forget(channel, about)

    # --- clients ------------------------------------------------------------------------------------

    def join(self, client: R, since: int | None) -> tuple[bool, bool]:
        """Put a client at its ``since``, or at the end. Returns whether it is resumed, and whether reset."""
        log_ = self.channel(client.namespace, client.channel).log
        resumed = since is not None and log_.resumes(since)
        self.place(client, since if resumed and since is not None else log_.last)
        return resumed, since is not None and not resumed

    def place(self, client: R, cursor: int) -> None:
        """Put a client after the event ``cursor``."""
        channel = self.channel(client.namespace, client.channel, cursor)
        client.cursor, client.lagging_since = cursor, None
        if client.front is not None:
            channel.elsewhere.setdefault(client.front, {})[client] = None
            return
        channel.clients[client] = None
        self._count(client.namespace, 1)
        if cursor < channel.log.last:
            self._dirty[channel] = None
            self._woken.set()

    def catch_up(self, client: R) -> None:
        """Write the events that the client has missed, at once: for one that a front process serves from now on."""
        self._feed(self.channel(client.namespace, client.channel), client, {})

    def leave(self, client: R) -> None:
        channel = self._channels.get((client.namespace, client.channel))
        if channel is None:
            return
        if client.front is not None:
            there = channel.elsewhere.get(client.front, {})
            there.pop(client, None)
            if not there:
                channel.elsewhere.pop(client.front, None)
        elif client in channel.clients:
            del channel.clients[client]
            self._lagging.pop(client, None)
            self._count(client.namespace, -1)

    def clients(self, namespace: str | None = None, name: str | None = None) -> Iterable[R]:
        for (space, channel_name), channel in list(self._channels.items()):
            if namespace in (None, space) and name in (None, channel_name):
                yield from list(channel.clients)
                for there in list(channel.elsewhere.values()):
                    yield from list(there)

    def begin_anew(self) -> None:
        """Drop all channels. Each client keeps its cursor."""
        for client in list(self.clients()):
            self.leave(client)
        self._channels.clear()
        self._dirty.clear()

    def _count(self, namespace: str, change: int) -> None:
        field_name = namespace[1:]
        setattr(self._stats, field_name, getattr(self._stats, field_name) + change)

    # --- serving ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs until it is cancelled."""
        trim_at = time.monotonic() + TRIM_EVERY_S
        while True:
            now = time.monotonic()
            for channel in [channel for channel in self._dirty if channel.due_at <= now]:
                self._dirty.pop(channel, None)
                await self._serve(channel)
            self._look_after_lagging()
            if now >= trim_at:
                trim_at = now + TRIM_EVERY_S
                self._trim()
            await self._rest(now, trim_at)

    async def _rest(self, now: float, trim_at: float) -> None:
        until = min([channel.due_at for channel in self._dirty], default=trim_at)
        if self._lagging:
            until = min(until, now + LOOK_AGAIN_S)
        if not self._dirty:
            self._woken.clear()
        wait_s = max(0.001, until - time.monotonic())
        if self._dirty:
            # Woken by a channel that has its turn later.
            await asyncio.sleep(min(wait_s, LOOK_AGAIN_S))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._woken.wait()

    async def _serve(self, channel: EventChannel[R]) -> None:
        """One round. Events that come during it are sent in the next one."""
        began = time.monotonic()
        busy_s = 0.0
        batches: dict[int, _Batch] = {}
        clients, end = list(channel.clients), channel.log.last
        for start in range(0, len(clients), SLICE):
            slice_began = time.monotonic()
            self._serve_some(channel, clients[start : start + SLICE], batches, end)
            busy_s += time.monotonic() - slice_began
            if start + SLICE < len(clients):
                await asyncio.sleep(0)
        channel.due_at = began + min(busy_s * PACE, MOST_PACE_S)

    def _serve_some(self, channel: EventChannel[R], clients: Iterable[R], batches: dict[int, _Batch], end: int) -> None:
        """``end``: the last number of the round."""
        here, lagging = channel.clients, self._lagging
        told = events = 0
        for client in clients:
            if client not in here or client in lagging:
                continue
            batch = batches.get(client.cursor)
            if (
                batch is not None
                and batch.last >= end
                and batch.message is not None
                and not (batch.special and self._is_asked_about(batch, client))
                and client.wire.deliver(batch.message)
            ):
                # The usual case: the client is where the others are, and gets the same message.
                client.cursor = batch.last
                told += 1
                events += batch.shared
                continue
            self._feed(channel, client, batches)
        self._stats.messages_total += told
        self._stats.deliveries_total += events

    def _feed(self, channel: EventChannel[R], client: R, batches: dict[int, _Batch]) -> None:
        """Write the events that the client has not had, as far as its transport takes them."""
        log_, wire = channel.log, client.wire
        while client.cursor < log_.last:
            if client.cursor < log_.floor:
                # An event is lost for this client, so it must begin anew.
                self._cut(client, "behind")
                return
            if not wire.ready:
                if client.lagging_since is None:
                    client.lagging_since = time.monotonic()
                self._lagging[client] = channel
                self._stats.lagging = len(self._lagging)
                return
            batch = batches.get(client.cursor)
            if batch is None:
                batch = batches[client.cursor] = self._batch(channel, client.cursor)
            if batch.each or self._is_asked_about(batch, client):
                self._feed_chosen(channel, client, batch)
            elif batch.message is not None:
                wire.deliver(batch.message)
                self._stats.messages_total += 1
                self._stats.deliveries_total += batch.shared
            client.cursor = batch.last
        client.lagging_since = None

    @staticmethod
    def _is_asked_about(batch: _Batch, client: R) -> bool:
        """Whether it has something for this client besides the events for all."""
        if batch.only:
            return client.member in batch.only
        return any(client.may_have(entry, None) for entry in batch.special)

    def _feed_chosen(self, channel: EventChannel[R], client: R, batch: _Batch) -> None:
        chosen = [entry for entry in batch.entries if client.may_have(entry, self._target(channel, entry))]
        if chosen:
            client.wire.write(pack_events(channel.namespace, [entry.json for entry in chosen]))
            self._stats.messages_total += 1
            self._stats.deliveries_total += len(chosen)

    def _target(self, channel: EventChannel[R], entry: LogEntry) -> Target | None:
        return self._target_of(entry.room) if channel.name == EVERY_ROOM else None

    def _batch(self, channel: EventChannel[R], cursor: int) -> _Batch:
        entries, size = [], 0
        for entry in channel.log.after(cursor, MOST_IN_A_MESSAGE):
            entries.append(entry)
            size += len(entry.json)
            if size >= MESSAGE_BYTES:
                break
        if not entries:
            # All later events were replaced or forgotten.
            return _Batch(channel.log.last, None, 0, [], [])
        if channel.name == EVERY_ROOM:
            return _Batch(entries[-1].seq, None, 0, entries, [], each=True)
        # Events for one participant do not cost the others their shared encoding.
        shared = [entry.json for entry in entries if entry.for_all]
        message = pack_events(channel.namespace, shared) if shared else None
        special = [entry for entry in entries if not entry.for_all]
        owners = frozenset(entry.only for entry in special if entry.only is not None)
        if any(entry.only is None for entry in special):
            owners = frozenset()
        return _Batch(entries[-1].seq, message, len(shared), entries, special, owners)

    def _look_after_lagging(self) -> None:
        now = time.monotonic()
        shared: dict[EventChannel[R], dict[int, _Batch]] = {}
        for client, channel in list(self._lagging.items()):
            if client.wire.ready:
                del self._lagging[client]
                client.lagging_since = None
                self._feed(channel, client, shared.setdefault(channel, {}))
                continue
            events, size = channel.log.behind(client.cursor)
            if events > self._settings.max_behind_events or size > self._settings.max_behind_bytes:
                self._cut(client, "behind")
            elif client.lagging_since is not None and now - client.lagging_since > self._settings.stall_s:
                self._cut(client, "stalled")
        self._stats.lagging = len(self._lagging)

    def _cut(self, client: R, why: str) -> None:
        self._lagging.pop(client, None)
        name = f"cut_{why}_total"
        setattr(self._stats, name, getattr(self._stats, name) + 1)
        log.info("reader_cut", why=why, namespace=client.namespace, channel=client.channel)
        client.wire.cut()

    def _trim(self) -> None:
        now_ms = self._clock()
        for key, channel in list(self._channels.items()):
            channel.log.trim(now_ms)
            # The channel is made again when it is needed; a client that comes back then begins anew.
            if not channel.is_read and not len(channel.log) and channel.name.startswith("session:"):
                del self._channels[key]
