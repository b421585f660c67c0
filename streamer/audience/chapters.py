"""Answered questions become chapters of the session's recording. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from streamer.audience.state import Change, Put, RecordingChapter
from streamer.conference.participation import Question, QuestionState, closed_session
from streamer.conference.sessions import CLOSED_CHAPTER, Mark, MarkKind

LABEL_CHARACTERS = 80
PREFIX = "q-"
"""The start of the ids of such marks; the question's id follows. Marks of a closed session's own audience have another
prefix, because a mark may outlive its question."""


def with_chapters(changes: Iterable[Change]) -> list[Change]:
    """The changes, and for each question that they answer, or that is not answered any more, the change of its
    chapter."""
    out: list[Change] = []
    for change in changes:
        out.append(change)
        if not isinstance(change, Put) or not isinstance(change.after, Question):
            continue
        before = change.before if isinstance(change.before, Question) else None
        was, now = _chapter(before), _chapter(change.after)
        if was == now:
            continue
        if was is not None and (now is None or now.session != was.session):
            out.append(RecordingChapter(was.id, was.session, None))
        if now is not None:
            out.append(RecordingChapter(now.id, now.session, now))
    return out


def _chapter(question: Question | None) -> Mark | None:
    if question is None or question.session is None or question.state is not QuestionState.ANSWERED:
        return None
    if question.withdrawn or question.merged_into is not None:
        return None
    at_ms = question.staged_ms if question.staged_ms is not None else question.answered_ms
    if at_ms is None:
        return None
    text = question.text
    label = text if len(text) <= LABEL_CHARACTERS else text[: LABEL_CHARACTERS - 1].rstrip() + "…"
    prefix = PREFIX if closed_session(question.scope) is None else CLOSED_CHAPTER
    return Mark(f"{prefix}{question.id}", question.session, MarkKind.CHAPTER, at_ms, label=label)


def question_of(mark: Mark) -> str | None:
    """The question of a chapter; None for a technician's chapter."""
    prefix = next((prefix for prefix in (PREFIX, CLOSED_CHAPTER) if mark.id.startswith(prefix)), None)
    return None if prefix is None else mark.id.removeprefix(prefix)
