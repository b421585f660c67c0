"""The commands of audiences and of their moderators: from a payload to what :mod:`streamer.audience` is asked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from streamer.audience import commands as asked
from streamer.audience.news import CommandAnswer
from streamer.audience.people import Crew, Participant
from streamer.audience.scope import Scope
from streamer.conference.grants import Action, Role, Target
from streamer.errors import Unprocessable
from streamer.realtime import audience_messages as messages
from streamer.realtime import rights
from streamer.realtime.commands import Command, CommandContext
from streamer.realtime.hub import Client
from streamer.realtime.messages import moment_or_none
from streamer.realtime.ports import Director


def participant_of(client: Client) -> Participant:
    """Who a client of ``/audience`` is."""
    role = None if client.role is None else Role(client.role)
    return Participant(client.member, client.name, client.place, role, client.since_ms)


def scope_target(director: Director, scope: Scope) -> Target:
    """Where a scope lies, for grants."""
    session = None if scope.session is None else director.find(scope.session)
    if scope.session is None:
        return rights.room_target(director, scope.room)
    if session is None:
        raise rights.no_such_session()
    return rights.session_target(director, session)


def told(answer: CommandAnswer) -> dict[str, Any]:
    """An answer as it is acknowledged: times as everywhere outside."""
    return {
        key.removesuffix("_ms") if key.endswith("_ms") else key: moment_or_none(value) if key.endswith("_ms") else value
        for key, value in answer.data.items()
    }


# --- participants -----------------------------------------------------------------------------------


async def _take(order: CommandContext, command: asked.Taking) -> dict[str, Any]:
    return told(await order.audience.run(order.client.scope, participant_of(order.client), command))


def _claimed(media_at: messages.MediaClaim) -> int | None:
    return None if media_at is None or not math.isfinite(media_at) else round(media_at)


async def _send(order: CommandContext) -> dict[str, Any]:
    said: messages.ChatSend = order.payload
    return await _take(order, asked.ChatSend(said.text, _claimed(said.media_at), said.reply_to))


async def _withdraw(order: CommandContext) -> dict[str, Any]:
    return await _take(order, asked.ChatWithdraw(order.payload.id))


async def _ask(order: CommandContext) -> dict[str, Any]:
    said: messages.QuestionAsk = order.payload
    return await _take(order, asked.QuestionAsk(said.text, said.anonymous, _claimed(said.media_at)))


async def _vote(order: CommandContext) -> dict[str, Any]:
    said: messages.QuestionVote = order.payload
    return await _take(order, asked.QuestionVote(said.id, said.value))


async def _withdraw_question(order: CommandContext) -> dict[str, Any]:
    return await _take(order, asked.QuestionWithdraw(order.payload.id))


async def _poll_vote(order: CommandContext) -> dict[str, Any]:
    said: messages.PollVote = order.payload
    return await _take(order, asked.PollVote(said.id, tuple(said.options)))


async def _react(order: CommandContext) -> dict[str, Any]:
    return await _take(order, asked.React(order.payload.kind))


async def _set_name(order: CommandContext) -> dict[str, Any]:
    said: messages.NameSet = order.payload
    answer = await _take(order, asked.NameSet(said.name, said.place))
    order.client.name, order.client.place = answer["name"], answer["place"]
    return answer


async def _trouble(order: CommandContext) -> dict[str, Any]:
    return await _take(order, asked.TroubleReport(order.payload.kind))


async def _report(order: CommandContext) -> dict[str, Any]:
    said: messages.ItemReport = order.payload
    return await _take(order, asked.ReportItem(said.kind, said.id, said.reason))


AUDIENCE_COMMANDS: Sequence[Command] = (
    Command("chat.send", messages.ChatSend, _send, counted="words"),
    Command("chat.withdraw", messages.ById, _withdraw),
    Command("question.ask", messages.QuestionAsk, _ask, burst=5, per_s=0.2, counted="words"),
    Command("question.vote", messages.QuestionVote, _vote, counted="votes"),
    Command("question.withdraw", messages.ById, _withdraw_question),
    Command("poll.vote", messages.PollVote, _poll_vote, counted="votes"),
    Command("reaction", messages.Reaction, _react),
    Command("name.set", messages.NameSet, _set_name, burst=5, per_s=0.1, counted="names"),
    Command("trouble.report", messages.TroubleReport, _trouble, burst=3, per_s=0.05),
    Command("item.report", messages.ItemReport, _report, burst=5, per_s=0.1),
)

# --- moderators -------------------------------------------------------------------------------------


def _crew(order: CommandContext, scope: Scope) -> Crew:
    actor = order.require(scope_target(order.director, scope))
    assert order.grant is not None
    return Crew(actor.id, actor.label, order.grant.role)


async def _moderate(order: CommandContext, command: asked.Moderating, scope: Scope | None = None) -> dict[str, Any]:
    scope = scope or order.client.scope
    answer = await order.audience.run(scope, _crew(order, scope), command)
    return {"action": answer.action, **told(answer)}


def _named(payload: messages.Some) -> tuple[str, ...]:
    if not payload.named:
        raise Unprocessable("id or ids has to be named.", code="invalid", details={"field": "id"})
    return payload.named


async def _delete(order: CommandContext) -> dict[str, Any]:
    said: messages.ChatDelete = order.payload
    return await _moderate(order, asked.ChatDelete(_named(said), said.reason))


async def _approve(order: CommandContext) -> dict[str, Any]:
    return await _moderate(order, asked.ChatApprove(_named(order.payload)))


async def _mute(order: CommandContext) -> dict[str, Any]:
    said: messages.Mute = order.payload
    return await _moderate(order, asked.Mute(said.id, said.seconds, said.reason, said.remove))


async def _ban(order: CommandContext) -> dict[str, Any]:
    said: messages.Ban = order.payload
    return await _moderate(order, asked.Ban(said.id, said.reason, said.remove))


async def _unban(order: CommandContext) -> dict[str, Any]:
    return await _moderate(order, asked.Unban(order.payload.id))


async def _note(order: CommandContext) -> dict[str, Any]:
    said: messages.Note = order.payload
    return await _moderate(order, asked.NoteAdd(said.id, said.text))


async def _card(order: CommandContext) -> dict[str, Any]:
    scope = order.client.scope
    _crew(order, scope)
    card: Mapping[str, Any] = await order.audience.card(scope, order.payload.id)
    return {"card": card}


async def _add_question(order: CommandContext) -> dict[str, Any]:
    said: messages.QuestionAdd = order.payload
    return await _moderate(order, asked.QuestionAdd(said.text, said.from_, said.place))


async def _move(order: CommandContext) -> dict[str, Any]:
    said: messages.QuestionMove = order.payload
    return await _moderate(order, asked.QuestionMove(_named(said), said.state, said.reason))


async def _edit(order: CommandContext) -> dict[str, Any]:
    said: messages.QuestionEdit = order.payload
    return await _moderate(order, asked.QuestionEdit(said.id, said.text))


async def _merge(order: CommandContext) -> dict[str, Any]:
    return await _moderate(order, asked.QuestionMerge(tuple(order.payload.ids)))


async def _carry(order: CommandContext) -> dict[str, Any]:
    return await _moderate(order, asked.QuestionCarry(tuple(order.payload.ids)))


async def _open_poll(order: CommandContext) -> dict[str, Any]:
    said: messages.PollOpen = order.payload
    return await _moderate(order, asked.PollOpen(said.kind, said.question, tuple(said.options), said.results_at_end))


async def _close_poll(order: CommandContext) -> dict[str, Any]:
    return await _moderate(order, asked.PollClose(order.payload.id))


async def _mode(order: CommandContext) -> dict[str, Any]:
    said: messages.RoomMode = order.payload
    mode = asked.ModeSet(
        said.chat,
        said.slow_seconds,
        said.questions,
        said.anonymous,
        said.order,
        said.hold_seconds,
        said.shield,
        None if said.words is None else tuple(said.words),
        None if said.networks is None else tuple(said.networks),
    )
    return await _moderate(order, mode)


async def _notice(order: CommandContext) -> dict[str, Any]:
    said: messages.NoticeSet = order.payload
    return await _moderate(order, asked.NoticeSet(said.text, said.seconds))


async def _claim(order: CommandContext) -> dict[str, Any]:
    said: messages.Claim = order.payload
    return await _moderate(order, asked.Claim(said.id, said.on))


async def _resolve(order: CommandContext) -> dict[str, Any]:
    return await _moderate(order, asked.ReportResolve(order.payload.id))


async def _say(order: CommandContext) -> dict[str, Any]:
    said: messages.CrewSay = order.payload
    return await _moderate(order, asked.CrewSay(said.text, said.to))


async def _say_from_studio(order: CommandContext) -> dict[str, Any]:
    said: messages.StudioSay = order.payload
    return await _moderate(order, asked.CrewSay(said.text, said.to), Scope(order.room))


async def take_back(order: CommandContext, action: str) -> dict[str, Any]:
    """A line that one said oneself to the room's crew. Raises NotFound ``no_such_action``."""
    answer = await _moderate(order, asked.Undo(action, own=True), Scope(order.room))
    return {**answer, "undone": action, "sessions": []}


async def _undo(order: CommandContext) -> dict[str, Any]:
    answer = await _moderate(order, asked.Undo(order.payload.action))
    return {**answer, "undone": order.payload.action}


async def _actions(order: CommandContext) -> dict[str, Any]:
    scope = order.client.scope
    _crew(order, scope)
    return {"actions": await order.audience.actions(scope, before_ms=order.payload.before)}


MODERATION_COMMANDS: Sequence[Command] = (
    Command("chat.delete", messages.ChatDelete, _delete, Action.CHAT_MODERATE),
    Command("chat.approve", messages.ChatApprove, _approve, Action.CHAT_MODERATE),
    Command("participant.mute", messages.Mute, _mute, Action.CHAT_MODERATE),
    Command("participant.ban", messages.Ban, _ban, Action.CHAT_MODERATE),
    Command("participant.unban", messages.ById, _unban, Action.CHAT_MODERATE),
    Command("participant.note", messages.Note, _note, Action.CHAT_MODERATE),
    Command("participant.card", messages.ById, _card, Action.CHAT_MODERATE),
    Command("question.add", messages.QuestionAdd, _add_question, Action.QUESTION_MODERATE),
    Command("question.move", messages.QuestionMove, _move, Action.QUESTION_MODERATE),
    Command("question.edit", messages.QuestionEdit, _edit, Action.QUESTION_MODERATE),
    Command("question.merge", messages.QuestionMerge, _merge, Action.QUESTION_MODERATE),
    Command("question.carry", messages.QuestionCarry, _carry, Action.QUESTION_MODERATE),
    Command("poll.open", messages.PollOpen, _open_poll, Action.POLL_RUN),
    Command("poll.close", messages.ById, _close_poll, Action.POLL_RUN),
    Command("room.mode", messages.RoomMode, _mode, Action.CHAT_MODERATE),
    Command("notice", messages.NoticeSet, _notice, Action.CHAT_MODERATE),
    Command("claim", messages.Claim, _claim, Action.CHAT_MODERATE),
    Command("report.resolve", messages.ById, _resolve, Action.CHAT_MODERATE),
    Command("crew.say", messages.CrewSay, _say, Action.CHAT_MODERATE),
    Command("undo", messages.Undo, _undo, Action.CHAT_MODERATE),
    Command("action.list", messages.ActionList, _actions, Action.CHAT_MODERATE, burst=5, per_s=0.5),
)
STUDIO_COMMANDS: Sequence[Command] = (Command("crew.say", messages.StudioSay, _say_from_studio, Action.ROOM_CREW),)
