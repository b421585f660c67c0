"""Settings of a whole audience: its mode, and the notice that all see. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from msgspec import Meta

from streamer.audience.action_log import LINE_CHARACTERS, LoggedAction, acted
from streamer.audience.address_holds import checked_networks
from streamer.audience.command import ClientMessage, Decision, Situation, StoredCommand
from streamer.audience.people import Crew
from streamer.audience.state import Change, Put, ScopeState
from streamer.audience.texts import checked, shortened
from streamer.audience.word_lists import WordList
from streamer.conference.grants import Action
from streamer.conference.participation import ChatMode, Notice, QuestionMode, QuestionOrder
from streamer.errors import Unprocessable

MOST_WORDS = 500
UNNAMED = frozenset({"words", "networks", "word_lists"})
"""Lists, whose values the action log does not name."""


class ModeSet(ClientMessage, frozen=True):
    """None, or a missing field: the value stays."""

    chat: ChatMode | None = None
    slow_seconds: Annotated[int, Meta(ge=0, le=86_400)] | None = None
    questions: QuestionMode | None = None
    anonymous: bool | None = None
    order: QuestionOrder | None = None
    hold_seconds: Annotated[int, Meta(ge=0, le=3600)] | None = None
    shield: bool | None = None
    words: Annotated[tuple[Annotated[str, Meta(max_length=200)], ...], Meta(max_length=1000)] | None = None
    networks: Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=100)] | None = None
    word_lists: Annotated[tuple[WordList, ...], Meta(max_length=10)] | None = None


class NoticeSet(ClientMessage, frozen=True):
    """An empty text removes the notice."""

    text: str
    seconds: Annotated[int, Meta(ge=1, le=86_400)] | None = None


def _set(state: ScopeState, who: Crew, command: ModeSet, at: Situation) -> Decision:
    before = state.mode
    given = {name: value for name in ModeSet.__struct_fields__ if (value := getattr(command, name)) is not None}
    if not 1 <= given.get("slow_seconds", 1) <= 3600 or not 0 <= given.get("hold_seconds", 0) <= 60:
        raise Unprocessable("Slow mode takes 1 to 3600 s, a hold up to 60 s.", code="invalid")
    if "networks" in given:
        given["networks"] = checked_networks(given["networks"])
    if "words" in given:
        words = tuple(dict.fromkeys(word for text in given["words"] if (word := shortened(text, 100))))
        if len(words) > MOST_WORDS:
            raise Unprocessable(f"No more than {MOST_WORDS} words.", code="invalid", details={"field": "words"})
        given["words"] = words
    if "word_lists" in given:
        given["word_lists"] = tuple(sorted(set(given["word_lists"])))
    after = replace(before, **given)
    changes: list[Change] = [Put(before, after)] if after != before else []
    what = " ".join(f"{name}={_plain(value)}" for name, value in given.items() if name not in UNNAMED)
    return acted(state, who, at, LoggedAction("room.mode", what), changes, {})


def _set_notice(state: ScopeState, who: Crew, command: NoticeSet, at: Situation) -> Decision:
    before = state.notice
    if not command.text.strip():
        gone: list[Change] = []
        if before is not None and not before.removed:
            gone.append(Put(before, replace(before, removed=True)))
        return acted(state, who, at, LoggedAction("notice"), gone, {})
    text = checked(command.text, LINE_CHARACTERS)
    until_ms = None if command.seconds is None else at.now_ms + command.seconds * 1000
    notice = Notice(at.new_id(), at.scope.room, at.scope.key, text, at.now_ms, until_ms)
    changes: list[Change] = [Put(None, notice)]
    if before is not None and not before.removed:
        changes.insert(0, Put(before, replace(before, removed=True)))
    return acted(state, who, at, LoggedAction("notice", notice.id), changes, {"id": notice.id})


def _plain(value: Any) -> str:
    return str(getattr(value, "value", value))


COMMANDS = (
    StoredCommand("room.mode", ModeSet, _set, action=Action.CHAT_MODERATE),
    StoredCommand("notice", NoticeSet, _set_notice, action=Action.CHAT_MODERATE),
)
