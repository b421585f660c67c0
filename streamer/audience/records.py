"""Reads and deletes stored data of audiences: minutes watched, cards, participants' own data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from streamer.audience import showing, views
from streamer.audience.audience_scope import AudienceScope
from streamer.audience.command import ClientMessage, Ident, MediaTime, ReadCommand, no_such
from streamer.audience.news import AudienceEvent, Viewpoint
from streamer.audience.state import ScopeState
from streamer.conference.grants import Action
from streamer.conference.participation import Message, ModerationAction, Question, closed_session
from streamer.formats import erasures
from streamer.store.chat import ChatMessages
from streamer.store.database import Database
from streamer.store.erasing import Erasing
from streamer.store.moderation import Moderation
from streamer.store.participants import NOTE, Participants, WatchMinutes

PERSON = "person"
"""The kind under which the list of erasures keeps hashes of participants' ids."""
MOST_LISTED = 100
"""Actions in one answer."""

# --- minutes watched --------------------------------------------------------------------------------


async def note_minute(database: Database, watching: Sequence[tuple[str, int]], minute_ms: int) -> None:
    """Store the numbers of viewers in one minute. ``watching``: (session, viewers) of the sessions that are on."""
    if watching:
        async with database.write() as connection:
            await WatchMinutes(connection).put_many([(session, minute_ms, viewers) for session, viewers in watching])


async def watched(database: Database, session_id: str) -> dict[str, Any]:
    async with database.read() as connection:
        minutes = await WatchMinutes(connection).of_session(session_id)
    counts = [viewers for _, viewers in minutes]
    return {
        "minutes": sum(counts),
        "peak": max(counts, default=0),
        "average": round(sum(counts) / len(counts), 1) if counts else 0.0,
    }


# --- moderators -------------------------------------------------------------------------------------


class ParticipantCard(ClientMessage, frozen=True):
    """A participant as moderators see them: names, history, notes."""

    id: Ident


class ActionLogRead(ClientMessage, frozen=True):
    """The newest hundred entries of the action log, newest first. ``before``: UTC milliseconds."""

    before: MediaTime | None = None


async def _card(database: Database, audience: AudienceScope, command: ParticipantCard, now_ms: int) -> dict[str, Any]:
    """Raises NotFound ``no_such_participant``."""
    participant = command.id
    async with database.read() as connection:
        people = Participants(connection)
        person = await people.find(participant)
        messages, questions = await people.count_of(participant)
        latest = await ChatMessages(connection).of_participant(audience.scope.key, participant, 0)
        # Actions in other rooms help the moderators; actions in closed sessions stay there.
        about = [
            action
            for action in await Moderation(connection).about(participant)
            if action.scope == audience.scope.key or closed_session(action.scope) is None
        ]
    here = audience.crowd.here.get(participant)
    if person is None and here is None and not latest and not about:
        raise no_such("participant")
    since_ms = here.participant.since_ms if here is not None else person.created_ms if person is not None else None
    name = person.name if person is not None else here.participant.name if here is not None else ""
    sanction = audience.shown.sanctions.get(participant)
    shown = {
        "id": participant,
        "name": name,
        "names": sorted({message.name for message in latest} | {name}),
        "place": person.place if person is not None else "",
        "since": views.moment_or_none(since_ms),
        "here": here is not None,
        "messages": messages,
        "questions": questions,
        **views.you_view(sanction, now_ms),
        "written": _written(latest, audience.shown, participant),
        "latest": [views.message_for_moderators(message) for message in latest[:50]],
        "history": [views.action_view(action) for action in about if action.kind != "participant.note"],
        "notes": [
            {"id": a.id, "text": a.reason, "by": a.label or a.who, "at": views.moment(a.at_ms)}
            for a in about
            if a.kind == "participant.note"
        ],
    }
    return {"card": shown}


def _written(messages: Sequence[Message], state: ScopeState, participant: str) -> list[dict[str, Any]]:
    """Messages and questions of the session that is on, the newest first. A card tells no anonymous question."""

    def entry(kind: str, item: Message | Question, state: str, text: str) -> tuple[int, dict[str, Any]]:
        return item.at_ms, {"kind": kind, "id": item.id, "text": text, "state": state, "at": views.moment(item.at_ms)}

    found = [entry("message", m, m.state.value, m.text) for m in messages if state.focus.has(m)]
    found += [
        entry("question", q, "withdrawn" if q.withdrawn else q.state.value, q.original or q.text)
        for q in state.questions.values()
        if q.participant == participant and state.focus.has(q) and not q.anonymous
    ]
    return [told for _, told in sorted(found, key=lambda one: one[0], reverse=True)]


async def _actions(database: Database, audience: AudienceScope, command: ActionLogRead, _now_ms: int) -> dict[str, Any]:
    async with database.read() as connection:
        found = await Moderation(connection).actions(audience.scope.key, MOST_LISTED, before_ms=command.before)
    return {"actions": [views.action_view(action) for action in found]}


COMMANDS = (
    ReadCommand("participant.card", ParticipantCard, _card, action=Action.CHAT_MODERATE),
    ReadCommand("action.list", ActionLogRead, _actions, action=Action.CHAT_MODERATE, burst=5, per_s=0.5),
)


def take_back(state: ScopeState, found: Iterable[Any]) -> None:
    """Put items from the database into memory, if memory has none of them."""
    for item in found:
        match item:
            case Message():
                state.messages.setdefault(item.id, item)
            case Question():
                state.questions.setdefault(item.id, item)
            case ModerationAction():
                state.actions.setdefault(item.id, item)


# --- one's own data ---------------------------------------------------------------------------------


async def export(database: Database, participant: str) -> dict[str, Any]:
    """Rows by table, times in UTC milliseconds."""
    async with database.read() as connection:
        return {"participant": participant, **await Participants(connection).everything(participant)}


async def erase(database: Database, participant: str) -> dict[str, int]:
    async with database.write() as connection:
        return await Participants(connection).erase(participant)


async def erase_again(database: Database, erasing: Erasing, records: Sequence[erasures.PersonErasure]) -> set[str]:
    """Delete again the data of people who asked for it, if a restored database has it again. Returns their ids."""
    asked: dict[bytes, int] = {}
    for record in records:
        asked[record.who] = max(record.at_ms, asked.get(record.who, 0))
    found: set[str] = set()
    async with database.write() as connection:
        people = Participants(connection)
        for participant in await people.everybody():
            until_ms = asked.get(await erasing.hashed(PERSON, participant))
            if until_ms is not None:
                await people.erase(participant, until_ms)
                found.add(participant)
    return found


def forget(audience: AudienceScope, participant: str, now_ms: int) -> list[AudienceEvent]:
    """Delete the participant's data from memory. The events tell viewers and moderators that it is gone."""
    events: list[AudienceEvent] = []
    key = audience.scope.key
    shown = audience.shown
    both = (Viewpoint.PUBLIC, Viewpoint.MODERATION)
    for message in [m for m in shown.messages.values() if m.participant == participant]:
        seen_by = both if message.public else both[1:]
        events += [AudienceEvent(key, viewpoint, "chat.deleted", {"id": message.id}, now_ms) for viewpoint in seen_by]
    mine = [q for q in shown.questions.values() if q.participant == participant]
    told: list[tuple[Question, bool]] = [(q, showing.in_public(q, shown.focus)) for q in mine]
    for state in (audience.working, audience.shown):
        _forget(state, participant)
    for question, public in told:
        kept = shown.questions.get(question.id)
        if kept is not None:
            events += showing.question_events(key, kept, shown, now_ms, was_public=public)
            continue
        data: Mapping[str, Any] = {"id": question.id, "removed": True}
        events += [
            AudienceEvent(key, viewpoint, "question.changed", data, now_ms, replaces=f"question {question.id}")
            for viewpoint in (both if public else both[1:])
        ]
    for questions in shown.votes:
        audience.voted[questions] = None
    for polls in shown.ballots:
        audience.polled[polls] = None
    return events


def _forget(state: ScopeState, participant: str) -> None:
    theirs = {m.id for m in state.messages.values() if m.participant == participant}
    theirs |= {q.id for q in state.questions.values() if q.participant == participant}
    state.messages = {m.id: m for m in state.messages.values() if m.participant != participant}
    for question in list(state.questions.values()):
        if question.participant != participant:
            continue
        if question.answered_ms is None and question.staged_ms is None:
            del state.questions[question.id]
            state.votes.pop(question.id, None)
        else:
            state.questions[question.id] = replace(
                question, participant=None, name="", place="", role="", original=None, reason=""
            )
    for voted in state.votes.values():
        voted.discard(participant)
    for ballots in state.ballots.values():
        ballots.pop(participant, None)
    state.people.pop(participant, None)
    state.reports = {r.id: r for r in state.reports.values() if r.participant != participant and r.item not in theirs}
    for action in list(state.actions.values()):
        named = action.participant == participant
        if named and action.kind == NOTE:
            del state.actions[action.id]
        elif named or _holds_words(action, participant):
            about = None if named else action.participant
            state.actions[action.id] = replace(action, changes=(), target="", reason="", participant=about)
    for prefix, hold in state.holds.items():
        if hold.participant == participant:
            state.holds[prefix] = replace(hold, participant="")
    sanction = state.sanctions.get(participant)
    if sanction is not None:
        state.sanctions[participant] = replace(sanction, name="", reason="")


def _holds_words(action: ModerationAction, participant: str) -> bool:
    """Whether a text of the participant is in the action, perhaps among texts of others."""
    images = (entry[side] for entry in action.changes for side in ("before", "after"))
    return any(image.get("participant") == participant for image in images)
