"""Items of an audience as JSON objects for each viewpoint. Pure. :mod:`.showing` decides which viewpoint sees which
item."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from streamer.audience import polls
from streamer.audience.state import Focus
from streamer.conference.participation import (
    CrewMessage,
    Message,
    Mode,
    ModerationAction,
    Notice,
    Poll,
    Question,
    Report,
    Sanction,
)

Object = dict[str, Any]


def moment(ms: int) -> str:
    """UTC milliseconds as RFC 3339."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def moment_or_none(ms: int | None) -> str | None:
    return None if ms is None else moment(ms)


# --- items ------------------------------------------------------------------------------------------


def message_view(message: Message) -> Object:
    """A visible message in the form that everybody may see. The text is plain text, never markup."""
    return {
        "id": message.id,
        "participant": message.participant,
        "name": message.name,
        "role": message.role or None,
        "text": message.text,
        "at": moment(message.at_ms),
        "media_at": message.media_at_ms,
        "session": message.session,
        "reply_to": message.reply_to,
        "state": message.state.value,
    }


def message_for_moderators(message: Message) -> Object:
    return {**message_view(message), "reason": message.reason or None, "until": moment_or_none(message.until_ms)}


def question_view(question: Question, votes: int) -> Object:
    """A public question in the form that everybody may see."""
    hidden = question.anonymous
    return {
        "id": question.id,
        "participant": None if hidden else question.participant,
        "name": None if hidden else question.name,
        "role": None if hidden else question.role or None,
        "anonymous": question.anonymous,
        "place": question.place or None,
        "text": question.text,
        "edited": question.original is not None,
        "state": question.state.value,
        "votes": votes,
        "at": moment(question.at_ms),
        "media_at": question.media_at_ms,
        "staged_at": question.staged_ms,
        "answered_at": question.answered_ms,
        "session": question.session,
    }


def own_question_view(question: Question, votes: int) -> Object:
    """For its author: its contents and state, without the moderators' other data."""
    shown = question.original if question.original is not None and not question.public else question.text
    return {
        **question_view(question, votes),
        "participant": question.participant,
        "name": question.name,
        "text": shown,
        "mine": True,
        "withdrawn": question.withdrawn,
        "merged_into": question.merged_into,
    }


def question_known_to_moderators(question: Question, votes: int) -> Object:
    return {
        **question_view(question, votes),
        "participant": question.participant,
        "name": question.name,
        "role": question.role or None,
        "original": question.original,
        "reason": question.reason or None,
        "merged_into": question.merged_into,
        "withdrawn": question.withdrawn,
    }


def question_for_moderators(question: Question, votes: int, focus: Focus) -> Object:
    return {**question_known_to_moderators(question, votes), "archived": not focus.has(question)}


def poll_view(poll: Poll, ballots: Mapping[str, tuple[int, ...]], *, crew: bool = False) -> Object:
    """``votes`` of an option is None while the results are hidden."""
    shown = crew or not poll.results_at_end or not poll.open
    counted = polls.counts(poll, ballots.values())
    return {
        "id": poll.id,
        "kind": poll.kind.value,
        "question": poll.question,
        "options": [
            {"id": index, "text": text, "votes": counted[index] if shown else None}
            for index, text in enumerate(poll.options)
        ],
        "voters": len(ballots),
        "state": "open" if poll.open else "prepared" if poll.prepared else "closed",
        "results_at_end": poll.results_at_end,
        "at": moment(poll.at_ms),
        "media_at": poll.media_at_ms,
        "closed_at": moment_or_none(poll.closed_ms),
        "session": poll.session,
    }


def mode_view(mode: Mode) -> Object:
    """The mode as everybody sees it. The shield appears as its effect: all messages are reviewed."""
    return {
        "chat": "review" if mode.shield and mode.chat.value in ("open", "slow") else mode.chat.value,
        "slow_seconds": mode.slow_seconds,
        "questions": "review" if mode.shield and mode.questions.value == "open" else mode.questions.value,
        "anonymous": mode.anonymous,
        "order": mode.order.value,
    }


def mode_for_moderators(mode: Mode) -> Object:
    return {
        **mode_view(mode),
        "chat": mode.chat.value,
        "questions": mode.questions.value,
        "hold_seconds": mode.hold_seconds,
        "shield": mode.shield,
        "words": list(mode.words),
        "networks": list(mode.networks),
        "word_lists": list(mode.word_lists),
    }


def notice_view(notice: Notice | None) -> Object | None:
    if notice is None or notice.removed:
        return None
    return {
        "id": notice.id,
        "text": notice.text,
        "at": moment(notice.at_ms),
        "until": moment_or_none(notice.until_ms),
    }


def you_view(sanction: Sanction | None, now_ms: int) -> Object:
    muted = sanction is not None and sanction.muted_until_ms > now_ms
    return {
        "muted_until": moment(sanction.muted_until_ms) if muted and sanction is not None else None,
        "banned": sanction is not None and sanction.banned,
    }


def sanction_view(sanction: Sanction, now_ms: int) -> Object:
    return {
        **you_view(sanction, now_ms),
        "participant": sanction.participant,
        "name": sanction.name,
        "reason": sanction.reason or None,
    }


def report_view(report: Report) -> Object:
    return {
        "id": report.id,
        "kind": report.kind,
        "item": report.item,
        "participant": report.participant,
        "reason": report.reason or None,
        "at": moment(report.at_ms),
        "resolved": report.resolved_ms is not None,
    }


def crew_message_view(message: CrewMessage) -> Object:
    return {
        "id": message.id,
        "to": message.to,
        "label": message.label,
        "text": message.text,
        "at": moment(message.at_ms),
    }


def action_view(action: ModerationAction) -> Object:
    return {
        "id": action.id,
        "kind": action.kind,
        "target": action.target,
        "participant": action.participant,
        "who": action.label or action.who,
        "reason": action.reason or None,
        "at": moment(action.at_ms),
        "undoable": bool(action.changes) and action.undone_ms is None,
        "undone": moment_or_none(action.undone_ms),
        "undone_by": action.undone_by or None,
    }
