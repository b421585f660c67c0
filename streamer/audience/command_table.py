"""Every command of audiences and of their moderators."""

from __future__ import annotations

from typing import Any

from streamer.audience import chat, crew, modes, names, polls, questions, reactions, records, reports, sanctions
from streamer.audience.command import ClientMessage, CommandDefinition

_ALL: tuple[CommandDefinition[Any], ...] = (
    *chat.COMMANDS,
    *questions.COMMANDS,
    *polls.COMMANDS,
    *reactions.COMMANDS,
    *names.COMMANDS,
    *sanctions.COMMANDS,
    *modes.COMMANDS,
    *crew.COMMANDS,
    *reports.COMMANDS,
    *records.COMMANDS,
)
AUDIENCE_COMMANDS = tuple(one for one in _ALL if one.action is None)
MODERATION_COMMANDS = tuple(one for one in _ALL if one.action is not None)
_BY_SCHEMA = {one.schema: one for one in (*_ALL, crew.OWN_LINE_UNDO)}


def definition_of(command: ClientMessage) -> CommandDefinition[Any]:
    return _BY_SCHEMA[type(command)]
