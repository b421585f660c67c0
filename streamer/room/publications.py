"""The publications of one room and the sources that they feed.

One publication at a time feeds a source (``main``, ``spare``, …). Another may replace it if it has the same grant, if
the present one has been silent for two seconds, or if it asks for ``takeover``. The present one goes on until the new
one is connected, so that a failed takeover costs nothing. If two publishers take a source from each other
(:mod:`duels`), a person decides. Everything runs on the loop.
"""

from __future__ import annotations

import asyncio
import copy
import re
import time
from typing import Protocol

import structlog

from streamer.broadcast.programme import SLATE, SOURCE_PATTERN
from streamer.control.messages import Answer, Candidates, Offer, SourceStatus
from streamer.errors import BadRequest, Conflict, NotFound, Unavailable
from streamer.formats.types import AccessUnit
from streamer.room.duels import WINDOW_NS, Duels
from streamer.room.ended import EndedConnections
from streamer.room.publication import Publication, WayCounts
from streamer.rtc.ice import binding_from
from streamer.rtc.receiver import Drop
from streamer.rtc.sdp import AnswerTuning, read_offer
from streamer.settings import Settings

log = structlog.get_logger(__name__)

SILENT_S = 2.0
"""From the contract: any valid grant may take over a source that has been silent for this long."""
CLOSING_MAX = 32


class SourceListener(Protocol):
    """Gets the events of sources. Called on the loop; must not block."""

    def source_up(self, name: str) -> None:
        """A publication is connected and feeds ``name``, perhaps instead of another."""

    def access_unit(self, name: str, unit: AccessUnit) -> None: ...

    def source_down(self, name: str, reason: str) -> None:
        """``hung_up``, ``silent``, ``connection_failed``, ``closed``."""

    def changed(self) -> None:
        """:meth:`Publications.status` has changed."""


class Publications:
    """The publications of a room's process, see the module. Make it on the loop that will use it."""

    def __init__(self, settings: Settings, sink: SourceListener, *, drop: Drop | None = None) -> None:
        self._settings = settings
        self._binding = binding_from(settings)
        ice = settings.ice
        self._tuning = AnswerTuning(
            video_start_kbps=ice.video_start_kbps,
            video_min_kbps=ice.video_min_kbps,
            video_max_kbps=ice.video_max_kbps,
            opus_kbps=ice.opus_kbps,
        )
        self._sink = sink
        self._drop = drop
        self._feeding: dict[str, Publication] = {}
        self._coming: dict[str, Publication] = {}
        """Answered, but not connected yet: at most one per source."""
        self._gone: dict[str, SourceStatus] = {}
        self._ended_ones = EndedConnections()
        self._duels = Duels()
        self._closing: set[asyncio.Task[None]] = set()
        self._totals: dict[str, float] = {
            "publications_total": 0.0,
            "publications_failed_total": 0.0,
            "takeovers_total": 0.0,
            "takeovers_refused_total": 0.0,
        }
        self._closed = False

    # --- signalling ---

    async def offer(self, offer: Offer) -> Answer:
        """Answer a WHIP offer. Errors as in :class:`~streamer.control.messages.Offer`."""
        if not re.fullmatch(SOURCE_PATTERN, offer.source) or offer.source == SLATE:
            raise BadRequest("A source's name has up to 32 letters, digits, - and _.", code="bad_source")
        self._admit(offer)
        facts = read_offer(offer.sdp, max_candidates=self._settings.ice.max_candidates)
        publication = Publication(
            offer,
            facts,
            self._settings.ice,
            self._binding,
            on_unit=self._unit,
            on_connected=self._connected,
            on_ended=self._ended,
            drop=self._drop,
        )
        before = self._coming.get(offer.source)
        self._coming[offer.source] = publication
        self._totals["publications_total"] += 1
        if before is not None:
            self._retire(before, "taken_over")
        try:
            return await publication.answer(self._tuning)
        except BaseException:
            self._totals["publications_failed_total"] += 1
            self._forget(publication)
            raise
        finally:
            self._sink.changed()

    def _admit(self, offer: Offer) -> None:
        if self._closed or len(self._closing) >= CLOSING_MAX:
            raise Unavailable("The room is closing.", code="room_closing", headers={"Retry-After": "2"})
        for there in (self._feeding.get(offer.source), self._coming.get(offer.source)):
            if there is None or offer.takeover or there.silent_s() >= SILENT_S:
                continue
            if offer.grant and offer.grant == there.grant:
                self._judge(offer, there)
                continue
            raise Conflict(
                f"Somebody else publishes as {offer.source!r}.",
                code="source_occupied",
                details={"source": offer.source, "client": there.client, "since_ms": there.started_ms},
            )
        names = self._feeding.keys() | self._coming.keys()
        if offer.source not in names and len(names) >= self._settings.room.max_sources:
            raise Unavailable(
                "The room has its maximum of sources.",
                code="too_many_publications",
                headers={"Retry-After": "10"},
            )

    def _judge(self, offer: Offer, there: Publication) -> None:
        """The same grant may take over from a living connection, but not too often."""
        now_ns = time.monotonic_ns()
        if there is not self._feeding.get(offer.source) or not self._duels.contested(offer.source, now_ns):
            return
        self._duels.attempt(offer.source, now_ns, time.time_ns() // 1_000_000)
        self._totals["takeovers_refused_total"] += 1
        self._sink.changed()
        raise Conflict(
            f"Two publishers take {offer.source!r} from each other.",
            code="publication_duel",
            details={"source": offer.source, "client": there.client, "since_ms": there.started_ms},
            headers={"Retry-After": str(WINDOW_NS // 1_000_000_000)},
        )

    async def candidates(self, candidates: Candidates) -> None:
        """Take a trickle fragment. Errors: those of :class:`Candidates`."""
        await self._find(candidates.resource).candidates(candidates.fragment, candidates.if_match)

    async def hangup(self, resource: str) -> None:
        """End the publication of the resource, if it has not ended by itself. Error: ``no_such_resource`` 404."""
        if not self._ended_ones.settle(resource):
            self._finish(self._find(resource), "hung_up")
            self._ended_ones.settle(resource)

    def owns(self, resource: str) -> bool:
        """Whether it is a publication's, present or ended by itself."""
        return self._ended_ones.has(resource) or any(p.resource == resource for p in self._all())

    def _find(self, resource: str) -> Publication:
        for publication in self._all():
            if publication.resource == resource:
                return publication
        raise NotFound("There is no such publication.", code="no_such_resource")

    def _all(self) -> list[Publication]:
        return [*self._feeding.values(), *self._coming.values()]

    # --- from the publications ---

    def _connected(self, publication: Publication) -> None:
        name = publication.source
        if self._coming.get(name) is not publication:
            return
        del self._coming[name]
        before = self._feeding.get(name)
        self._feeding[name] = publication
        self._gone.pop(name, None)
        if before is not None:
            self._totals["takeovers_total"] += 1
            if before.silent_s() < SILENT_S:
                self._duels.attempt(name, time.monotonic_ns(), time.time_ns() // 1_000_000)
            self._retire(before, "taken_over")
        self._sink.source_up(name)
        self._sink.changed()

    def _unit(self, publication: Publication, unit: AccessUnit) -> None:
        if self._feeding.get(publication.source) is publication:
            self._sink.access_unit(publication.source, unit)

    def _ended(self, publication: Publication, reason: str) -> None:
        self._finish(publication, reason)

    def _finish(self, publication: Publication, reason: str) -> None:
        """The publication has ended: report it, and close the connection in the background."""
        name = publication.source
        fed = self._feeding.get(name) is publication
        if not fed and self._coming.get(name) is not publication:
            return
        if not fed:
            self._totals["publications_failed_total"] += 1
        self._forget(publication)
        self._retire(publication, reason)
        if fed:
            self._duels.settle(name)
            self._sink.source_down(name, reason)
        self._sink.changed()

    def _forget(self, publication: Publication) -> None:
        name = publication.source
        for table in (self._feeding, self._coming):
            if table.get(name) is publication:
                del table[name]
        if name not in self._feeding:
            status = publication.status()
            status.up = False
            self._gone[name] = status
            while len(self._gone) > self._settings.room.max_sources:
                del self._gone[next(iter(self._gone))]

    def _retire(self, publication: Publication, reason: str) -> None:
        self._ended_ones.add(publication.resource)
        for name, count in publication.counters().items():
            self._totals[name] = self._totals.get(name, 0.0) + count
        task = asyncio.create_task(publication.close(reason), name=f"close publication {publication.id}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    # --- questions and status -----

    @property
    def count(self) -> int:
        """The number of publications that feed a source or are connecting."""
        return len(self._feeding) + len(self._coming)

    @property
    def duels(self) -> dict[str, int]:
        """Sources that two publishers take from each other -> the time since when, UTC ms."""
        return self._duels.ringing(time.monotonic_ns())

    def way(self, source: str) -> WayCounts | None:
        """The way of the publication that feeds the source; None if there is none."""
        publication = self._feeding.get(source)
        return publication.way() if publication is not None else None

    def request_keyframe(self, source: str) -> None:
        """Send a PLI to the source's publisher; at most one every 200 ms."""
        publication = self._feeding.get(source)
        if publication is not None:
            publication.request_keyframe()

    def status(self) -> dict[str, SourceStatus]:
        """Source -> its status, for every source that was ever fed. Fresh values that the caller may change."""
        out = {name: copy.copy(status) for name, status in self._gone.items()}
        out |= {name: p.status() for name, p in self._coming.items() if name not in self._feeding}
        out |= {name: p.status() for name, p in self._feeding.items()}
        return out

    @property
    def counters(self) -> dict[str, float]:
        totals = dict(self._totals)
        for publication in self._all():
            for name, count in publication.counters().items():
                totals[name] = totals.get(name, 0.0) + count
        return totals

    async def close(self) -> None:
        """End everything; returns when all sockets are closed, within a few seconds."""
        self._closed = True
        for publication in self._all():
            self._finish(publication, "closed")
        if self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)
