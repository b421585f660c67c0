"""``/api/v1/recordings/{id}/approval``: a speaker approves the cut of their replay by a link, or asks for a change.

The link is good for that one replay and for nothing else, until it expires or is withdrawn. It shows the present cut as
it would be published. While an approval is waited for the replay is not published; an answer about an older cut does
not count.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from streamer.api.audit import record
from streamer.api.context import now_ms
from streamer.api.grants import revoke
from streamer.api.models import Body, Label, LazyModel, Moment, PartialBody, to_moment, to_ms
from streamer.api.recordings import entry_of, who_of
from streamer.api.routing import Call, Route, invalid_field
from streamer.api.session_models import replay_path
from streamer.api.sessions import target_of
from streamer.archive import editing
from streamer.archive.editing import Edit
from streamer.archive.material import Span, minus
from streamer.archive.repository import RecordingEntry
from streamer.conference.day import DAY_MS
from streamer.conference.grants import Action, Grant, Role, Target, new_token
from streamer.errors import Conflict, NotFound
from streamer.links import grant_link
from streamer.store.approvals import Approval, Approvals, ApprovalState
from streamer.store.grants import Grants
from streamer.store.recordings import RecordingState, StoredEdition

USUAL_DAYS, MOST_DAYS = 14, 90


class ApprovalAsk(PartialBody):
    label: Label = Field(min_length=1)
    """The speaker's name."""
    expires: Moment | None = None
    """Left out: in fourteen days; at most in ninety."""
    publish: bool = True
    """Publish the replay as soon as they approve."""


class ApprovalAnswer(Body):
    edition: str = Field(max_length=48)
    """The cut that was looked at."""
    approved: bool
    note: str = Field("", max_length=2000)
    """The wish, where it is not approved."""


class ApprovedChapter(LazyModel):
    at_ms: int
    """From the beginning of the replay."""
    label: str


class ApprovalView(LazyModel):
    session: str
    title: str
    speakers: list[str]
    room: str
    timezone: str
    start_ms: int
    label: str
    publish: bool
    published: bool
    state: ApprovalState
    """Of the present cut: an answer about an older one does not count."""
    note: str
    """Of the last answer."""
    asked: Moment
    answered: Moment | None
    expires: Moment | None
    """null: the link is not good any more."""
    edition: str
    duration_ms: int
    url: str
    """Plays the present cut for the caller, as it would be published."""
    chapters: list[ApprovedChapter]


class ApprovalAsked(ApprovalView):
    link: str
    """For the speaker, told this once."""


async def ask(call: Call) -> ApprovalAsked:
    """Ask a speaker to approve the cut. A link that was made before ends."""
    body, services = call.body(ApprovalAsk), call.services
    entry, recording = await entry_of(call)
    target = target_of(services, entry.session)
    holder = call.require(target)
    if recording.state is not RecordingState.READY or entry.current is None:
        raise Conflict("There is no finished cut.", code="still_growing")
    at_ms = now_ms()
    expires_ms = to_ms(body.expires) or at_ms + USUAL_DAYS * DAY_MS
    if not at_ms < expires_ms <= at_ms + MOST_DAYS * DAY_MS:
        raise invalid_field("expires", f"must be within {MOST_DAYS} days")
    await _end_link(call, holder, entry.session.id)
    made = new_token()
    grant = Grant(
        id=made.grant_id,
        role=Role.APPROVER,
        session=entry.session.id,
        label=body.label,
        expires_ms=expires_ms,
        created_ms=at_ms,
    )
    approval = Approval(entry.session.id, grant.id, body.label, body.publish, at_ms)
    async with services.database.write() as connection:
        await Grants(connection).add(grant, made.secret_sha256)
        await Approvals(connection).put(approval)
        details = {"label": body.label, "expires_ms": expires_ms, "publish": body.publish}
        await record(connection, holder, "recording.ask_approval", target, "recording", approval.session, details)
    view = await _view(call, entry, approval)
    return ApprovalAsked(**view.model_dump(), link=grant_link(services.public_url, grant, made.token))


async def look(call: Call) -> ApprovalView:
    """The cut that the speaker is asked about, and their answer. For the speaker's link and for organisers."""
    entry, approval, _, _ = await _asked(call)
    return await _view(call, entry, approval)


async def withdraw(call: Call) -> None:
    """Do not wait for the speaker any more: their link ends."""
    entry, _ = await entry_of(call)
    target = target_of(call.services, entry.session)
    holder = call.require(target)
    if not await _end_link(call, holder, entry.session.id):
        raise _not_asked()
    async with call.services.database.write() as connection:
        await Approvals(connection).remove(entry.session.id)
        await record(connection, holder, "recording.withdraw_approval", target, "recording", entry.session.id)


async def answer_approval(call: Call) -> ApprovalView:
    """Approve the cut, or ask for a change. Only the link that was made for it answers."""
    body, services = call.body(ApprovalAnswer), call.services
    entry, approval, grant, target = await _asked(call)
    if grant.id != approval.grant:
        raise _not_asked()
    current = entry.current
    if current is None or current.id != body.edition:
        raise Conflict("The cut has changed: look at it again.", code="replaced")
    if not body.approved and not body.note.strip():
        raise invalid_field("note", "say what should change")
    approval = replace(
        approval,
        state=ApprovalState.APPROVED if body.approved else ApprovalState.CHANGE_WANTED,
        edition=current.id,
        note=body.note.strip(),
        answered_ms=now_ms(),
    )
    async with services.database.write() as connection:
        await Approvals(connection).put(approval)
        action = "recording.approve" if body.approved else "recording.want_change"
        details = {"note": approval.note} if approval.note else {}
        await record(connection, grant, action, target, "recording", approval.session, details)
    assert entry.recording is not None
    if body.approved and approval.publish and not entry.recording.published and entry.session.recorded:
        entry = await editing.edit(services.archivist, approval.session, Edit(published=True), who_of(grant))
    return await _view(call, entry, approval)


async def _asked(call: Call) -> tuple[RecordingEntry, Approval, Grant, Target]:
    """The recording and what is asked about it. Raises NotFound, also for sessions that the caller's grant is not
    for."""
    services, session_id = call.services, call.path("id")
    entry = await services.archivist.repository.entry(session_id, around=False)
    if entry is None:
        raise _not_asked()
    target = target_of(services, entry.session)
    if call.grant is not None and call.grant.may(Action.RECORDING_APPROVE) and not call.grant.covers(target):
        raise _not_asked()
    grant = call.require(target)
    async with services.database.read() as connection:
        approval = await Approvals(connection).find(session_id)
    if approval is None or entry.recording is None or entry.current is None or entry.current.end_ms is None:
        raise _not_asked()
    return entry, approval, grant, target


async def _end_link(call: Call, holder: Grant, session: str) -> bool:
    """Whether an approval was asked for."""
    async with call.services.database.read() as connection:
        before = await Approvals(connection).find(session)
        known = before is not None and await Grants(connection).find(before.grant) is not None
    if before is not None and known:
        await revoke(call.services, holder, before.grant)
    return before is not None


async def _view(call: Call, entry: RecordingEntry, approval: Approval) -> ApprovalView:
    services, session, current, recording = call.services, entry.session, entry.current, entry.recording
    assert current is not None
    assert recording is not None
    async with services.database.read() as connection:
        grant = await Grants(connection).find(approval.grant)
    spans = _spans(current)
    details = await services.archivist.details(session.id)
    room, venue = services.director.room(recording.room), services.director.venue_of(recording.room)
    key = services.keys.key(session, call.caller(session).holder)
    path = replay_path(session, key, published=False)
    return ApprovalView(
        session=session.id,
        title=session.title,
        speakers=list(session.speakers),
        room=room.name if room is not None else "",
        timezone=venue.timezone if venue is not None else "UTC",
        start_ms=current.start_ms,
        label=approval.label,
        publish=approval.publish,
        published=recording.published,
        state=approval.state_for(current.id),
        note=approval.note,
        asked=to_moment(approval.asked_ms),
        answered=to_moment(approval.answered_ms),
        expires=to_moment(grant.expires_ms) if grant is not None and grant.in_force(now_ms()) else None,
        edition=current.id,
        duration_ms=sum(span.to_ms - span.from_ms for span in spans),
        url=f"{services.public_url}{path}/{current.id}/index.m3u8",
        chapters=_chapters(spans, details.chapters),
    )


def _spans(edition: StoredEdition) -> tuple[Span, ...]:
    assert edition.end_ms is not None
    return minus(Span(edition.start_ms, edition.end_ms), (Span(a, b) for a, b in edition.skips))


def _chapters(spans: tuple[Span, ...], chapters: tuple[tuple[int, str], ...]) -> list[ApprovedChapter]:
    """The chapters that the cut shows, at their places in it."""
    found = []
    before_ms = 0
    for span in spans:
        for at_ms, label in chapters:
            if span.from_ms <= at_ms < span.to_ms:
                found.append(ApprovedChapter(at_ms=before_ms + at_ms - span.from_ms, label=label))
        before_ms += span.to_ms - span.from_ms
    return found


def _not_asked() -> NotFound:
    return NotFound("Nobody is asked to approve this.", code="not_asked")


ROUTES = (
    Route(
        "GET",
        "/recordings/{id}/approval",
        look,
        "What the speaker is asked to approve, and their answer",
        "recordings",
        action=Action.RECORDING_APPROVE,
        answers=(ApprovalView,),
    ),
    Route(
        "POST",
        "/recordings/{id}/approval",
        ask,
        "Ask the speaker to approve the cut by a link, told this once; the replay waits for it",
        "recordings",
        action=Action.RECORDING_PUBLISH,
        body=ApprovalAsk,
        answers=(ApprovalAsked,),
        status=201,
    ),
    Route(
        "DELETE",
        "/recordings/{id}/approval",
        withdraw,
        "Wait for the speaker's approval no longer; their link ends",
        "recordings",
        action=Action.RECORDING_PUBLISH,
        status=204,
    ),
    Route(
        "POST",
        "/recordings/{id}/approval/answer",
        answer_approval,
        "The speaker approves the cut or asks for a change",
        "recordings",
        action=Action.RECORDING_APPROVE,
        body=ApprovalAnswer,
        answers=(ApprovalView,),
    ),
)
