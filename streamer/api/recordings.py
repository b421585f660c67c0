"""``/api/v1/recordings`` and ``/api/v1/retention``: recordings of sessions, their cuts, and their deletion.

Everybody sees the recordings that everybody may watch. The holder of a grant, or of an unlisted session's link, also
sees closed ones, with addresses that hold the caller's own key.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from streamer.api.auth import require
from streamer.api.context import Services
from streamer.api.models import Body, LazyModel, LinkQuery, ListQuery, Moment, PartialBody, Slug, to_moment
from streamer.api.rooms import room_named
from streamer.api.rooms import target_of as target_of_room
from streamer.api.routing import Call, Route, Text
from streamer.api.session_models import replay_path
from streamer.api.sessions import target_of, venue_of
from streamer.archive import editing
from streamer.archive.editing import Edit
from streamer.archive.material import Span
from streamer.archive.material_sources import FOREVER_MS
from streamer.archive.repository import RecordingEntry, Who, whole_of
from streamer.archive.retention import Retention, RetentionPlan
from streamer.archive.stills import NoPicture, still_at
from streamer.conference.grants import Action, Grant, Target
from streamer.conference.sessions import Session
from streamer.conference.visibility import Caller, recording_told
from streamer.errors import Conflict, NotFound, StreamerError, TooMany
from streamer.store.approvals import Approval, Approvals, ApprovalState
from streamer.store.paging import Page, page_of_shown
from streamer.store.recordings import SILENCE_LUFS, Editions, Recording, Recordings, RecordingState, StoredEdition
from streamer.store.sessions import Sessions

STILL_HEADERS = ("X-Media-Time", "X-Frame-Before", "X-Frame-After")


class SkipBody(Body):
    """A stretch that the replay leaves out; media times as RFC 3339 or milliseconds."""

    from_ms: int = Field(ge=0, le=FOREVER_MS)
    to_ms: int = Field(ge=0, le=FOREVER_MS)


class RecordingChange(PartialBody):
    """Media times are integer milliseconds UTC, so that a cut can be moved by frames."""

    start_ms: int | None = Field(None, ge=0, le=FOREVER_MS)
    end_ms: int | None = Field(None, ge=0, le=FOREVER_MS)
    skips: list[SkipBody] | None = Field(None, max_length=editing.MAX_SKIPS)
    published: bool | None = None
    pinned: bool | None = None


class EditionView(LazyModel):
    id: str
    start_ms: int
    end_ms: int | None
    """null while the session is on air."""
    skips: list[tuple[int, int]]
    created: Moment
    replaced: Moment | None
    url: str
    """Plays the edition for the caller, until their grant or login ends; 410 once the edition is replaced."""
    download_url: str | None
    loudness_lufs: float | None
    """Of the sound as it was recorded, integrated (ITU-R BS.1770); null: not measured yet, or silence."""
    levelled: bool
    """Whether its sound was brought to -18 LUFS, because the recording's is more than 2 LU from that."""

    @classmethod
    def of(cls, edition: StoredEdition, replay: str) -> Self:
        """``replay``: the base address of the caller's replay."""
        base = f"{replay}/{edition.id}"
        return cls(
            id=edition.id,
            start_ms=edition.start_ms,
            end_ms=edition.end_ms,
            skips=list(edition.skips),
            created=to_moment(edition.created_ms),
            replaced=to_moment(edition.replaced_ms),
            url=f"{base}/index.m3u8",
            download_url=f"{base}/download.mp4" if edition.end_ms is not None else None,
            loudness_lufs=round(heard, 1) if (heard := edition.loudness) is not None and heard > SILENCE_LUFS else None,
            levelled=edition.sound != "",
        )


class RecordingView(LazyModel):
    session: str
    room: str
    title: str
    speakers: list[str]
    event: str | None
    state: RecordingState
    published: bool
    start_ms: int
    """The media time where the current edition begins."""
    end_ms: int | None
    replay_url: str | None
    """The session's own address; null if it does not answer."""
    download_url: str | None


class RecordingCrewView(RecordingView):
    """For the crew: with the cuts and files."""

    bytes: int
    pinned: bool
    reviewed: bool
    created: Moment
    material_from_ms: int
    """A cut may lie between these two media times."""
    material_to_ms: int | None
    editions: list[EditionView]
    approval: ApprovalState | None = None
    """Of the present cut, where a speaker is asked."""
    material_url: str | None = None
    """Plays all of the material, to move the cut in it; null while it grows. Other material has another address."""


class RecordingList(LazyModel):
    items: list[RecordingCrewView | RecordingView]
    cursor: str | None


class RecordingQuery(ListQuery):
    room: Slug | None = None
    venue: Slug | None = None
    event: Slug | None = None
    published: bool | None = None


class StillQuery(LazyModel):
    at: int = Field(ge=0, le=FOREVER_MS)
    """Media time, milliseconds UTC."""


class RetentionQuery(LazyModel):
    room: Slug | None = None
    days: int | None = Field(None, ge=0, le=36_500)
    """Retention to try out, as if all rooms had it. Nothing is deleted."""


class DoomedView(LazyModel):
    session: str
    room: str
    title: str
    bytes: int
    days: int
    ended: Moment | None


class RetentionView(LazyModel):
    """``freed_bytes``: the space that the disk gets back. Files that other recordings share stay."""

    items: list[DoomedView]
    freed_bytes: int


# --- reading ----------------------------------------------------------------------------------------


def _sees_all(services: Services, grant: Grant | None, session: Session) -> bool:
    return grant is not None and grant.allows(Action.RECORDING_READ, target_of(services, session))


def _view(
    services: Services,
    caller: Caller,
    session: Session,
    recording: Recording,
    editions: list[StoredEdition],
    approval: Approval | None,
) -> RecordingView | RecordingCrewView | None:
    current = next((e for e in reversed(editions) if e.replaced_ms is None), None)
    venue = venue_of(services, session.room)
    if not recording_told(caller, session, venue, published=recording.published, current=current is not None):
        return None
    crew = _sees_all(services, caller.grant, session)
    keys, replay = services.keys, None
    key = keys.link_key(session) if session.id in caller.links else keys.key(session, caller.holder)
    base = services.public_url + replay_path(session, key, published=recording.published)
    if current is not None and recording.published:
        replay = f"{base}/index.m3u8"
    elif current is not None:
        # The address of an edition that is not published, for callers who may watch it all the same.
        replay = EditionView.of(current, base).url
    values: dict[str, Any] = {
        "session": session.id,
        "room": recording.room,
        "title": session.title,
        "speakers": list(session.speakers),
        "event": session.event,
        "state": recording.state,
        "published": recording.published,
        "start_ms": current.start_ms if current is not None else recording.start_ms,
        "end_ms": current.end_ms if current is not None else recording.end_ms,
        "replay_url": replay,
        "download_url": EditionView.of(current, base).download_url if current is not None else None,
    }
    if not crew:
        return RecordingView(**values)
    whole = whole_of(recording) if current is not None else None
    own = f"{services.public_url}{replay_path(session, keys.key(session, caller.holder), published=False)}"
    return RecordingCrewView(
        **values,
        bytes=recording.size_bytes,
        pinned=recording.pinned,
        reviewed=recording.reviewed,
        created=to_moment(recording.created_ms),
        material_from_ms=recording.start_ms,
        material_to_ms=recording.end_ms,
        editions=[EditionView.of(edition, base) for edition in editions],
        approval=approval.state_for(current.id if current else None) if approval is not None else None,
        material_url=f"{own}/{whole.id}/index.m3u8" if whole is not None else None,
    )


async def list_recordings(call: Call) -> RecordingList:
    query, services, caller = call.query(RecordingQuery), call.services, call.caller()

    async def fetch(limit: int, after: str | None) -> Page[Recording]:
        async with services.database.read() as connection:
            return await Recordings(connection).page(
                limit,
                after,
                room=query.room,
                venue=query.venue,
                event=query.event,
                published=query.published,
                caller=caller,
            )

    async def show(found: Sequence[Recording]) -> list[RecordingView | RecordingCrewView | None]:
        async with services.database.read() as connection:
            rows = await Sessions(connection).find_many([recording.session for recording in found])
            stored = Editions(connection)
            editions = {recording.session: await stored.of_session(recording.session) for recording in found}
            asked = await Approvals(connection).find_many(rows)
        # The director's copy may be newer than the row.
        sessions = {name: services.director.find(name) or row for name, row in rows.items()}
        return [
            _view(services, caller, sessions[r.session], r, editions[r.session], asked.get(r.session))
            if r.session in sessions
            else None
            for r in found
        ]

    items, place = await page_of_shown(query.limit, await call.after(query), fetch, show)
    return RecordingList(items=items, cursor=await call.cursor(query, place))


async def entry_of(call: Call) -> tuple[RecordingEntry, Recording]:
    """Raises NotFound, also for a recording that the caller may not know of."""
    entry = await call.services.archivist.repository.entry(call.path("id"), around=False)
    if entry is None or entry.recording is None or await _told(call, entry, entry.recording) is None:
        raise _no_recording()
    return entry, entry.recording


async def _told(call: Call, entry: RecordingEntry, recording: Recording) -> RecordingView | RecordingCrewView | None:
    async with call.services.database.read() as connection:
        asked = await Approvals(connection).find(entry.session.id)
    caller = call.caller(entry.session)
    return _view(call.services, caller, entry.session, recording, list(entry.editions), asked)


async def get_recording(call: Call) -> RecordingView | RecordingCrewView:
    view = await _told(call, *await entry_of(call))
    assert view is not None
    return view


async def still(call: Call) -> Text:
    """A picture of the material. Headers tell its media time and those of the frames beside it."""
    entry, recording = await entry_of(call)
    grant = call.require(target_of(call.services, entry.session))
    archivist = call.services.archivist
    if not archivist.stills.take(grant.id):
        raise TooMany("Too many pictures are being made.", code="too_many_stills", headers={"Retry-After": "1"})
    try:
        material = await archivist.shown(entry.session.id, recording.room)
        async with archivist.decoding:
            at_ms = call.query(StillQuery).at
            made = await still_at(archivist.repository.folder(entry.session.id), material, at_ms)
    except NoPicture:
        raise NotFound("There is no picture at this time.", code="no_still") from None
    finally:
        archivist.stills.give_back(grant.id)
    for header, value in zip(STILL_HEADERS, (made.at_ms, made.before_ms, made.after_ms), strict=True):
        if value is not None:
            call.headers[header] = str(value)
    call.headers["Access-Control-Expose-Headers"] = ", ".join(STILL_HEADERS)
    return Text(made.jpeg, "image/jpeg")


# --- changing ---------------------------------------------------------------------------------------


async def change(call: Call) -> RecordingView | RecordingCrewView:
    body, services = call.body(RecordingChange), call.services
    entry, recording = await entry_of(call)
    target = target_of(services, entry.session)
    grant = call.require(target)
    if body.published is not None:
        require(grant, Action.RECORDING_PUBLISH, target)
    if body.published and not recording.published:
        await _check_approved(call, entry)
    wanted = Edit(
        body.start_ms,
        body.end_ms,
        None if body.skips is None else tuple(Span(skip.from_ms, skip.to_ms) for skip in body.skips),
        body.published,
        body.pinned,
    )
    entry = await editing.edit(services.archivist, entry.session.id, wanted, who_of(grant))
    if wanted.skips is not None:
        # Then the stretch is in no live window when the answer arrives. After an error the director does it within a
        # second.
        with contextlib.suppress(StreamerError):
            await services.director.refresh()
    assert entry.recording is not None
    view = await _told(call, entry, entry.recording)
    assert view is not None
    return view


async def _check_approved(call: Call, entry: RecordingEntry) -> None:
    """Raises Conflict ``approval_waits`` while the speaker is asked and has not approved the present cut."""
    async with call.services.database.read() as connection:
        approval = await Approvals(connection).find(entry.session.id)
    current = entry.current
    if approval is not None and approval.state_for(current.id if current else None) is not ApprovalState.APPROVED:
        raise Conflict("The speaker has not approved this cut.", code="approval_waits")


async def delete(call: Call) -> None:
    entry, _ = await entry_of(call)
    grant = call.require(target_of(call.services, entry.session))
    await editing.delete(call.services.archivist, entry.session.id, who_of(grant))


async def look_at_retention(call: Call) -> RetentionView:
    """The dry run: nothing is deleted."""
    query = call.query(RetentionQuery)
    call.require(_room_target(call, query.room))
    return _retention_view(await _retention(call).plan(room=query.room, days=query.days))


async def apply_retention(call: Call) -> RetentionView:
    """Delete now the recordings that are older than the rooms' retention. The same runs every hour."""
    query = call.query(RetentionQuery)
    call.require(_room_target(call, query.room))
    retention = _retention(call)
    plan = await retention.plan(room=query.room)
    gone = set(await retention.apply(plan))
    items = tuple(item for item in plan.items if item.recording.session in gone)
    return _retention_view(RetentionPlan(items, plan.freed_bytes))


def _retention(call: Call) -> Retention:
    services = call.services
    return Retention(
        services.archivist, services.database, default_days=services.settings.archive.retention_days or None
    )


def _room_target(call: Call, room_id: str | None) -> Target:
    if room_id is None:
        return Target()
    return target_of_room(room_named(call.services, room_id))


def _retention_view(plan: RetentionPlan) -> RetentionView:
    items = [
        DoomedView(
            session=one.recording.session,
            room=one.recording.room,
            title=one.title,
            bytes=one.recording.size_bytes,
            days=one.days,
            ended=to_moment(one.recording.end_ms),
        )
        for one in plan.items
    ]
    return RetentionView(items=items, freed_bytes=plan.freed_bytes)


def who_of(grant: Grant) -> Who:
    return Who(grant.id, grant.label)


def _no_recording() -> NotFound:
    return NotFound("There is no recording of this session.", code="no_recording")


_VIEWS = (RecordingCrewView, RecordingView)

ROUTES = (
    Route(
        "GET",
        "/recordings",
        list_recordings,
        "Recordings, newest first: those that the caller may watch, and all for the crew",
        "recordings",
        query=RecordingQuery,
        answers=(RecordingList,),
    ),
    Route(
        "GET",
        "/recordings/{id}",
        get_recording,
        "One session's recording",
        "recordings",
        query=LinkQuery,
        answers=_VIEWS,
    ),
    Route(
        "PATCH",
        "/recordings/{id}",
        change,
        "Move the cut, leave stretches out, publish, pin. A changed cut is a new edition under a new address. A stretch"
        " that is left out leaves the room's live windows too, for good; shown again, it is in the replay only",
        "recordings",
        action=Action.RECORDING_CHANGE,
        body=RecordingChange,
        answers=_VIEWS,
    ),
    Route(
        "DELETE",
        "/recordings/{id}",
        delete,
        "Delete a recording's files; not one that is pinned or growing",
        "recordings",
        action=Action.RECORDING_DELETE,
        status=204,
    ),
    Route(
        "GET",
        "/recordings/{id}/still.jpg",
        still,
        "The picture at a media time (JPEG), with the times of the frames beside it in headers",
        "recordings",
        action=Action.RECORDING_READ,
        query=StillQuery,
    ),
    Route(
        "GET",
        "/retention",
        look_at_retention,
        "The recordings that retention would delete now, with their bytes",
        "recordings",
        action=Action.RECORDING_READ,
        query=RetentionQuery,
        answers=(RetentionView,),
    ),
    Route(
        "POST",
        "/retention",
        apply_retention,
        "Delete now the recordings that retention would delete",
        "recordings",
        action=Action.RECORDING_DELETE,
        query=RetentionQuery,
        answers=(RetentionView,),
    ),
)
