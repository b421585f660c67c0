"""Chat messages: who may write, whether others see a message at once, and the moderators' actions on it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from streamer.audience.action_log import LoggedAction, acted, reason_of
from streamer.audience.address_holds import address_held
from streamer.audience.command import (
    ClientMessage,
    Decision,
    Ident,
    LongText,
    MediaClaim,
    Situation,
    SomeItems,
    StoredCommand,
    no_such,
)
from streamer.audience.names import seen, shown_name, words_of
from streamer.audience.people import Crew, Participant
from streamer.audience.recent_activity import admit
from streamer.audience.reports import settled
from streamer.audience.scope import media_time, session_at
from streamer.audience.state import Change, Put, ScopeState
from streamer.audience.texts import checked
from streamer.audience.views import moment
from streamer.audience.words import blocked
from streamer.conference.grants import Action
from streamer.conference.participation import ChatMode, Message, MessageState, Mode
from streamer.errors import Conflict

NEWCOMER_MS = 5 * 60_000


class ChatSend(ClientMessage, frozen=True):
    """Answer: ``id``, ``state`` (``visible``, ``held``, ``delayed``), ``at``, ``media_at``."""

    text: str
    media_at: MediaClaim = None
    reply_to: Ident | None = None


class ChatWithdraw(ClientMessage, frozen=True):
    """The participant's own message."""

    id: Ident


class ChatDelete(SomeItems, frozen=True):
    reason: LongText = ""


class ChatApprove(SomeItems, frozen=True):
    pass


def check_chat(mode: Mode, who: Participant) -> None:
    """Check that the chat accepts messages. Raises Conflict ``chat_closed``, ``read_only``, ``questions_only``."""
    if who.trusted and mode.chat is not ChatMode.CLOSED:
        return
    refused: dict[ChatMode, tuple[str, str]] = {
        ChatMode.CLOSED: ("chat_closed", "The chat is closed."),
        ChatMode.READ_ONLY: ("read_only", "The chat can only be read now."),
        ChatMode.QUESTIONS_ONLY: ("questions_only", "Only questions are taken now."),
    }
    if mode.chat in refused:
        code, message = refused[mode.chat]
        raise Conflict(message, code=code)


@dataclass(frozen=True, slots=True)
class Verdict:
    state: Literal[MessageState.VISIBLE, MessageState.HELD, MessageState.DELAYED]
    reason: str = ""
    until_ms: int | None = None


def verdict(state: ScopeState, who: Participant, text: str, at: Situation, *, review: bool, hold_s: int) -> Verdict:
    """Decides on a text that may be sent. ``review``: a moderator must see each message first. ``hold_s``: the time
    that moderators have before others see it."""
    if who.trusted:
        return Verdict(MessageState.VISIBLE)
    if state.mode.shield:
        young = at.now_ms - who.since_ms < NEWCOMER_MS
        return Verdict(MessageState.HELD, "newcomer" if young else "shield")
    if blocked(text, words_of(state, at)) is not None:
        return Verdict(MessageState.HELD, "word")
    if address_held(who, at.prefixes, state.holds, at.now_ms):
        return Verdict(MessageState.HELD, "address")
    if review:
        return Verdict(MessageState.HELD, "review")
    if hold_s > 0:
        return Verdict(MessageState.DELAYED, "", at.now_ms + hold_s * 1000)
    return Verdict(MessageState.VISIBLE)


def _send(state: ScopeState, who: Participant, command: ChatSend, at: Situation) -> Decision:
    check_chat(state.mode, who)
    text = checked(command.text, at.settings.chat_characters)
    reply_to = command.reply_to
    if reply_to is not None:
        replied = state.messages.get(reply_to)
        if replied is None or not (replied.public or replied.participant == who.id):
            raise no_such("message")
    name = shown_name(state, who, at)
    slow = state.mode.slow_seconds if state.mode.chat is ChatMode.SLOW and not who.trusted else None
    admit(at.activities.of(who.id), text, at.now_ms, slow)
    mode = state.mode
    found = verdict(state, who, text, at, review=mode.chat is ChatMode.REVIEW, hold_s=mode.hold_seconds)
    media_ms = media_time(command.media_at, at.now_ms, at.settings.usual_delay_ms)
    message = Message(
        id=at.new_id(),
        room=at.scope.room,
        scope=at.scope.key,
        session=session_at(at.scope, at.sessions, media_ms, at.now_ms),
        participant=who.id,
        name=name,
        role=who.shown_role,
        text=text,
        at_ms=at.now_ms,
        media_at_ms=media_ms,
        state=found.state,
        reason=found.reason,
        reply_to=reply_to,
        until_ms=found.until_ms,
    )
    answer = {"id": message.id, "state": message.state.value, "at": moment(message.at_ms), "media_at": media_ms}
    return Decision((*seen(state, who, name, at), Put(None, message)), answer)


def _withdraw(state: ScopeState, who: Participant, command: ChatWithdraw, _at: Situation) -> Decision:
    message = state.messages.get(command.id)
    if message is None or message.participant != who.id:
        raise no_such("message")
    if message.state in (MessageState.WITHDRAWN, MessageState.DELETED):
        return Decision(answer={"id": message.id})
    return Decision((Put(message, replace(message, state=MessageState.WITHDRAWN)),), {"id": message.id})


def _delete(state: ScopeState, who: Crew, command: ChatDelete, at: Situation) -> Decision:
    return _move(state, who, "chat.delete", command.named, MessageState.DELETED, command.reason, at)


def _approve(state: ScopeState, who: Crew, command: ChatApprove, at: Situation) -> Decision:
    return _move(state, who, "chat.approve", command.named, MessageState.VISIBLE, "", at)


def _move(
    state: ScopeState,
    who: Crew,
    kind: str,
    ids: Sequence[str],
    to: MessageState,
    reason: str,
    at: Situation,
) -> Decision:
    changes: list[Change] = []
    found = [_message(state, one) for one in dict.fromkeys(ids)]
    for message in found:
        if message.state is MessageState.WITHDRAWN and to is MessageState.VISIBLE:
            raise Conflict("Its author has taken it back.", code="wrong_state")
        if message.state is to or message.state is MessageState.WITHDRAWN:
            continue
        why = reason_of(reason) if to is MessageState.DELETED else message.reason
        changes.append(Put(message, replace(message, state=to, reason=why, until_ms=None)))
    if to is MessageState.DELETED:
        changes += settled(state, ids, at)
    authors = {message.participant for message in found}
    about = next(iter(authors)) if len(authors) == 1 else None
    return acted(
        state, who, at, LoggedAction(kind, " ".join(ids), about, reason_of(reason)), changes, {"ids": list(ids)}
    )


def _message(state: ScopeState, message_id: str) -> Message:
    message = state.messages.get(message_id)
    if message is None:
        raise no_such("message")
    return message


def _replied(command: ChatSend) -> tuple[str, ...]:
    return () if command.reply_to is None else (command.reply_to,)


_RIGHT = Action.CHAT_MODERATE
COMMANDS = (
    StoredCommand("chat.send", ChatSend, _send, speaks=True, budget="words", messages=_replied),
    StoredCommand("chat.withdraw", ChatWithdraw, _withdraw, messages=lambda command: (command.id,)),
    StoredCommand("chat.delete", ChatDelete, _delete, action=_RIGHT, messages=lambda command: command.named),
    StoredCommand("chat.approve", ChatApprove, _approve, action=_RIGHT, messages=lambda command: command.named),
)
