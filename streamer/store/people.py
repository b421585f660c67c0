"""The personal data in every table: its columns, how long it is kept, and its owner. Deletion and export follow this
list.

A table or a column that is not here fails a test. ``SECURITY.md`` has the same list for people; a test compares them.
Times are UTC milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Delete, Table, Update, and_, delete, exists, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.day import DAY_MS
from streamer.store import answers, archive_tables, audience_tables
from streamer.store import tables as t
from streamer.store.recordings import RecordingState

UNDO_DAYS = 7
CHAPTER = "chapter"


@dataclass(frozen=True, slots=True)
class Periods:
    """The periods of the settings, days. ``speakers_days`` None: speakers stay."""

    keep_days: int = 365
    audit_days: int = 365
    speakers_days: int | None = None


USUAL = Periods()


@dataclass(frozen=True, slots=True)
class Moment:
    """The present time, and the times before which each kind of data is too old."""

    now_ms: int
    periods: Periods

    def before(self, days: int) -> int:
        return self.now_ms - days * DAY_MS

    @property
    def audience_ms(self) -> int:
        return self.before(self.periods.keep_days)

    @property
    def crew_ms(self) -> int:
        return self.before(self.periods.audit_days)


class Until(StrEnum):
    """The end of the data's time, in the words of ``SECURITY.md``."""

    KEEP_DAYS = "`audience.keep_days`"
    AUDIT_DAYS = "`archive.audit_days`"
    SPEAKERS_DAYS = "`archive.speakers_days` after it (0: they stay), or as long as a recording"
    RECORDING = "as long as the recording; without one `audience.keep_days`"
    UNDO = f"{UNDO_DAYS} days"
    REPEATS = "an hour"
    OVER = "its own end"
    CHANGED = "it is changed or deleted by hand"


class ErasureOutcome(StrEnum):
    """The effect of *delete my data* on a participant's rows."""

    GONE = "deleted"
    NAMELESS = "stays without name, words and reasons"
    """And without the person that it is about, except a ban: a request must not end a ban."""
    NOT_THEIRS = "no"


Statement = Delete | Update


@dataclass(frozen=True, slots=True)
class TablePolicy:
    """One table. Names of columns are separated by spaces; each column is in ``people`` or in ``plain``."""

    table: Table
    people: str
    """Columns with personal data: names, words, labels, ids of participants and of grants."""
    plain: str
    what: str = ""
    until: Until | None = None
    ends: Callable[[Moment], Sequence[Statement]] | None = None
    """Deletes the data when its time is over; None if something else does (see ``until``)."""
    whose: str = ""
    """The column with the row's participant; their export has the row, except ``untold``."""
    untold: str = ""
    """Columns that the export leaves out: the moderators' opinions and names."""
    erased: ErasureOutcome = ErasureOutcome.NOT_THEIRS

    @property
    def names(self) -> set[str]:
        return set(self.people.split()) | set(self.plain.split())

    @property
    def exported(self) -> list[str]:
        """Columns of the participant's own data; none if the table holds no data of the audience."""
        hidden = set(self.untold.split())
        return [column.name for column in self.table.c if column.name not in hidden] if self.whose else []


def _older(table: Table, column: str, cutoff: Callable[[Moment], int]) -> Callable[[Moment], Sequence[Statement]]:
    return lambda moment: [delete(table).where(table.c[column] < cutoff(moment))]


def _audience(table: Table, column: str = "at_ms") -> Callable[[Moment], Sequence[Statement]]:
    return _older(table, column, lambda moment: moment.audience_ms)


def _crew(table: Table, column: str) -> Callable[[Moment], Sequence[Statement]]:
    return _older(table, column, lambda moment: moment.crew_ms)


def _now(table: Table, column: str) -> Callable[[Moment], Sequence[Statement]]:
    return _older(table, column, lambda moment: moment.now_ms + 1)


def _recorded(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(t.recordings.c.state != RecordingState.DELETED.value, *conditions)


def _captions(moment: Moment) -> Sequence[Statement]:
    kept = _recorded(
        t.recordings.c.room_id == t.captions.c.room_id,
        t.recordings.c.start_ms <= t.captions.c.at_ms,
        or_(t.recordings.c.end_ms.is_(None), t.captions.c.at_ms < t.recordings.c.end_ms),
    )
    return [delete(t.captions).where(t.captions.c.created_ms < moment.audience_ms, ~kept)]


def _chapters(moment: Moment) -> Sequence[Statement]:
    kept = _recorded(t.recordings.c.session_id == t.marks.c.session_id)
    old = and_(t.marks.c.kind == CHAPTER, t.marks.c.at_ms < moment.audience_ms)
    return [delete(t.marks).where(old, ~kept)]


def _speakers(moment: Moment) -> Sequence[Statement]:
    days = moment.periods.speakers_days
    if days is None:
        return []
    kept = _recorded(t.recordings.c.session_id == t.sessions.c.id)
    named = or_(t.sessions.c.speakers != "[]", t.sessions.c.portraits != "[]")
    old = and_(t.sessions.c.end_ms < moment.before(days), named)
    return [update(t.sessions).where(old, ~kept).values(speakers="[]", portraits="[]")]


def _grants(moment: Moment) -> Sequence[Statement]:
    over = exists().where(t.sessions.c.id == t.grants.c.session_id, t.sessions.c.end_ms < moment.crew_ms)
    lapsed = and_(t.grants.c.expires_ms.is_(None), over)
    return [delete(t.grants).where(or_(t.grants.c.expires_ms < moment.crew_ms, lapsed))]


def _sanctions(moment: Moment) -> Sequence[Statement]:
    over = and_(
        audience_tables.sanctions.c.banned.is_(False), audience_tables.sanctions.c.muted_until_ms <= moment.now_ms
    )
    return [
        delete(audience_tables.sanctions).where(or_(over, audience_tables.sanctions.c.since_ms < moment.audience_ms))
    ]


LIST: tuple[TablePolicy, ...] = (
    TablePolicy(
        audience_tables.participants,
        "id name place",
        "created_ms seen_ms",
        "Participants: name, place",
        Until.KEEP_DAYS,
        _audience(audience_tables.participants, "seen_ms"),
        whose="id",
        erased=ErasureOutcome.GONE,
    ),
    TablePolicy(
        audience_tables.chat_messages,
        "participant_id name role text reason reply_to_id",
        "id room_id scope session_id at_ms media_at_ms state until_ms",
        "Messages",
        Until.KEEP_DAYS,
        _audience(audience_tables.chat_messages),
        whose="participant_id",
        untold="reason",
        erased=ErasureOutcome.GONE,
    ),
    TablePolicy(
        audience_tables.questions,
        "participant_id name role place text original reason",
        "id room_id scope session_id at_ms media_at_ms anonymous state merged_into_id staged_ms answered_ms withdrawn",
        "Questions; one that was on stage stays, without its asker",
        Until.KEEP_DAYS,
        _audience(audience_tables.questions),
        whose="participant_id",
        untold="reason",
        erased=ErasureOutcome.GONE,
    ),
    TablePolicy(
        audience_tables.question_votes,
        "participant_id",
        "question_id",
        "Votes, with their question",
        Until.KEEP_DAYS,
        whose="participant_id",
        erased=ErasureOutcome.GONE,
    ),
    TablePolicy(
        audience_tables.poll_votes,
        "participant_id options",
        "poll_id",
        "Votes, with their poll",
        Until.KEEP_DAYS,
        whose="participant_id",
        erased=ErasureOutcome.GONE,
    ),
    TablePolicy(
        audience_tables.reports,
        "participant_id reason item_id",
        "id room_id scope kind at_ms resolved_ms",
        "Reports: by whom, about what, why",
        Until.KEEP_DAYS,
        _audience(audience_tables.reports),
        whose="participant_id",
        erased=ErasureOutcome.GONE,
    ),
    TablePolicy(
        audience_tables.sanctions,
        "participant_id reason name",
        "scope room_id muted_until_ms banned since_ms",
        "Mutes and bans, which end then",
        Until.KEEP_DAYS,
        _sanctions,
        whose="participant_id",
        untold="reason",
        erased=ErasureOutcome.NAMELESS,
    ),
    TablePolicy(
        audience_tables.address_holds,
        "participant_id prefix",
        "scope room_id since_ms until_ms",
        "After a ban: the network that it came from (IPv4: 24 bits, IPv6: 56)",
        Until.OVER,
        _now(audience_tables.address_holds, "until_ms"),
        whose="participant_id",
        erased=ErasureOutcome.NAMELESS,
    ),
    TablePolicy(
        audience_tables.moderation_actions,
        "who label target participant_id reason changes undone_by",
        "id room_id scope session_id at_ms kind undone_ms",
        "What moderators did, about whom, why, and their notes",
        Until.KEEP_DAYS,
        _audience(audience_tables.moderation_actions),
        whose="participant_id",
        untold="who label target reason changes undone_by",
        erased=ErasureOutcome.NAMELESS,
    ),
    TablePolicy(
        audience_tables.polls,
        "question options",
        "id room_id scope session_id kind at_ms media_at_ms closed_ms results_at_end removed prepared",
        "Polls, as moderators worded them",
        Until.KEEP_DAYS,
        _audience(audience_tables.polls),
    ),
    TablePolicy(
        audience_tables.crew_lines,
        "who label text",
        "id room_id scope to at_ms removed",
        "The crew's line",
        Until.KEEP_DAYS,
        _audience(audience_tables.crew_lines),
    ),
    TablePolicy(
        audience_tables.notices,
        "text",
        "id room_id scope at_ms until_ms removed",
        "Notices to the room",
        Until.KEEP_DAYS,
        _audience(audience_tables.notices),
    ),
    TablePolicy(
        audience_tables.command_answers,
        "caller answer",
        "id part fingerprint at_ms",
        "Answers to commands, for repeats: ids, states, one's own name and votes",
        Until.REPEATS,
        lambda moment: answers.too_old(moment.now_ms),
        whose="caller",
        erased=ErasureOutcome.GONE,
    ),
    TablePolicy(
        audience_tables.watch_minutes,
        "",
        "session_id minute_ms viewers",
        ends=_audience(audience_tables.watch_minutes, "minute_ms"),
    ),
    TablePolicy(
        t.captions,
        "text live_text grant_id",
        "id room_id session_id lang at_ms live_from_ms live_until_ms created_ms",
        "Captions: what was said, by whose link it was typed",
        Until.RECORDING,
        _captions,
    ),
    TablePolicy(
        t.marks,
        "label",
        "id session_id kind at_ms until_ms hidden",
        "Chapters: the words of questions that were answered",
        Until.RECORDING,
        _chapters,
    ),
    TablePolicy(
        t.sessions,
        "speakers portraits",
        "id room_id event_id title start_ms end_ms kind subtitle abstract language tags track url capacity visibility "
        "do_not_record do_not_stream replay state delay_ms shortened_ms started_ms ended_ms extended_until_ms "
        "changed_ms ad_hoc record_answer stream_answer generation key guid external_id sequence venue_id also_in "
        "chat questions",
        "Speakers of the schedule, with their pictures",
        Until.SPEAKERS_DAYS,
        _speakers,
    ),
    TablePolicy(
        t.import_previews,
        "payload",
        "id event_id created_ms expires_ms",
        "Imports that wait for a yes, with their speakers",
        Until.OVER,
        _now(t.import_previews, "expires_ms"),
    ),
    TablePolicy(
        t.schedule_sources,
        "owner",
        "event_id url etag last_modified polled_ms error applied_sha256",
        "By whose link an event follows a schedule",
        Until.CHANGED,
    ),
    TablePolicy(
        t.actions,
        "who label before after",
        "id room_id session_id at_ms kind undone_ms",
        "Taps, and what undo needs",
        Until.UNDO,
        _older(t.actions, "at_ms", lambda moment: moment.before(UNDO_DAYS)),
    ),
    TablePolicy(
        t.alarm_acknowledgements,
        "who label",
        "room_id alarm at_ms",
        "Who has taken on an alarm; gone with it",
        Until.AUDIT_DAYS,
        _crew(t.alarm_acknowledgements, "at_ms"),
    ),
    TablePolicy(
        t.audit,
        "who label target_id details",
        "id at_ms action target_kind room_id venue_id",
        "The audit log: what was changed, by whose link",
        Until.AUDIT_DAYS,
        _crew(t.audit, "at_ms"),
    ),
    TablePolicy(
        t.grants,
        "id label made_by",
        "secret_sha256 role room_id venue_id event_id session_id not_before_ms expires_ms created_ms",
        "Links with the name on them; so long after their end. One without an end: until it is revoked",
        Until.AUDIT_DAYS,
        _grants,
    ),
    TablePolicy(
        t.connections,
        "grant_id",
        "resource room_id kind source created_ms",
        "What a link has opened; gone when it is closed",
        Until.AUDIT_DAYS,
        _crew(t.connections, "created_ms"),
    ),
    TablePolicy(
        t.logins,
        "grant_id agent",
        "secret_sha256 created_ms last_seen_ms expires_ms",
        "Logins: by which link, with which browser",
        Until.OVER,
        _now(t.logins, "expires_ms"),
    ),
    TablePolicy(
        t.hooks,
        "grant_id label address secret",
        "id kind language always created_ms sent_ms failed_ms error",
        "Where somebody of the crew is reached: phones, addresses; gone with their link",
        Until.CHANGED,
    ),
    TablePolicy(
        t.hook_messages,
        "",
        "id hook_id kind alarm facts created_ms due_ms attempts sent_ms error",
        ends=_older(t.hook_messages, "created_ms", lambda moment: moment.before(UNDO_DAYS)),
    ),
    TablePolicy(
        t.shifts,
        "grant_id label",
        "id venue_id since_ms until_ms created_ms accepted_ms follows anybody",
        "Who was on duty",
        Until.AUDIT_DAYS,
        _crew(t.shifts, "until_ms"),
    ),
    TablePolicy(
        t.rings,
        "rung told",
        "alarm room_id began_ms ended_ms due_ms held",
        "Who was told of an alarm",
        Until.UNDO,
        _older(t.rings, "ended_ms", lambda moment: moment.before(UNDO_DAYS)),
    ),
    TablePolicy(
        t.alarm_keys,
        "grant_id",
        "secret_sha256 purpose alarm room_id at_ms expires_ms",
        "Keys in messages about alarms",
        Until.OVER,
        _now(t.alarm_keys, "expires_ms"),
    ),
    TablePolicy(
        t.room_states,
        "hold_message",
        "room_id hold_since_ms hold_until_ms slate source gain_db media_up_since_ms media_stopped_ms sources",
        "What a hold says to the room",
        Until.OVER,
    ),
    TablePolicy(
        audience_tables.room_modes,
        "words",
        "scope room_id chat slow_seconds questions anonymous order hold_seconds shield networks word_lists",
        "Words that moderators block, which may be names",
        Until.CHANGED,
    ),
    TablePolicy(t.alarm_memories, "", "room_id memory"),
    TablePolicy(
        t.rehearsals,
        "seen",
        "room_id source publication devices heard at_ms",
        "Who has looked at a picture before a session; gone with the room's next source",
        Until.UNDO,
        _older(t.rehearsals, "at_ms", lambda moment: moment.before(UNDO_DAYS)),
    ),
    TablePolicy(t.venues, "", "id name timezone language logos colour typeface logo cover"),
    TablePolicy(t.rooms, "", "id name venue_id start between aliases guid retention_days caption_languages levelling"),
    TablePolicy(
        t.events,
        "",
        "id name venue_id start_ms end_ms language url acronym logos source_url colour typeface logo cover",
    ),
    TablePolicy(
        t.recordings,
        "",
        "session_id room_id broadcast folder start_ms end_ms size_bytes state pinned published reviewed created_ms",
    ),
    TablePolicy(archive_tables.bucket_objects, "", "key address file state at_ms size_bytes changed_ns digest"),
    TablePolicy(
        t.approvals,
        "label note grant_id",
        "session_id publish asked_ms state edition_id answered_ms",
        "Speakers who are asked about a replay's cut, and what they answered",
        Until.AUDIT_DAYS,
        _crew(t.approvals, "asked_ms"),
    ),
    TablePolicy(
        t.session_templates,
        "",
        "id venue_id kind visibility do_not_record do_not_stream replay minutes chat questions",
    ),
    TablePolicy(t.editions, "", "id session_id start_ms end_ms skips created_ms replaced_ms sound loudness"),
    TablePolicy(audience_tables.hall_codes, "", "code room_id place created_ms"),
    TablePolicy(t.secrets, "", "name value"),
    TablePolicy(t.revisions, "", "id value"),
    TablePolicy(t.directors, "", "id epoch holder sign since_ms host pid folder"),
)


async def sweep(connection: AsyncConnection, periods: Periods, now_ms: int) -> dict[str, int]:
    """Delete data older than its period, in one transaction. Returns table -> number of rows."""
    gone: dict[str, int] = {}
    moment = Moment(now_ms, periods)
    for kept in LIST:
        for statement in kept.ends(moment) if kept.ends is not None else ():
            count = (await connection.execute(statement)).rowcount
            if count:
                gone[kept.table.name] = gone.get(kept.table.name, 0) + count
    return gone
