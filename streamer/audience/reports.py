"""Reports of participants to the moderators. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from streamer.audience.action_log import LoggedAction, acted
from streamer.audience.command import ClientMessage, Decision, Ident, LongText, Situation, StoredCommand, no_such
from streamer.audience.people import Crew, Participant
from streamer.audience.recent_activity import admit
from streamer.audience.state import MOST_REPORTS, Change, Put, ScopeState
from streamer.audience.texts import REASON_CHARACTERS, shortened
from streamer.conference.grants import Action
from streamer.conference.participation import Report
from streamer.errors import Conflict

MOST_ALIKE = 20
"""Open reports of one item. More of them say nothing new and would leave no room for reports of other items."""


class ReportItem(ClientMessage, frozen=True):
    kind: Literal["message", "question"]
    id: Ident
    reason: LongText = ""


class ReportResolve(ClientMessage, frozen=True):
    """Resolves all reports of the item."""

    id: Ident


def _report(state: ScopeState, who: Participant, command: ReportItem, at: Situation) -> Decision:
    if command.kind == "message":
        message = state.messages.get(command.id)
        there = message is not None and message.public
    else:
        question = state.questions.get(command.id)
        there = question is not None and question.public
    if not there:
        raise no_such(command.kind)
    alike = [report for report in state.reports.values() if report.item == command.id]
    for report in alike:
        if report.participant == who.id or len(alike) >= MOST_ALIKE:
            return Decision(answer={"id": report.id})
    if len(state.reports) >= MOST_REPORTS:
        raise Conflict("The moderators have many reports to look at.", code="busy")
    admit(at.activities.of(f"r:{who.id}"), f"{command.kind} {command.id}", at.now_ms, None)
    reason = shortened(command.reason, REASON_CHARACTERS)
    report = Report(at.new_id(), at.scope.room, at.scope.key, command.kind, command.id, who.id, reason, at.now_ms)
    return Decision((Put(None, report),), {"id": report.id})


def _resolve(state: ScopeState, who: Crew, command: ReportResolve, at: Situation) -> Decision:
    found = [r for r in state.reports.values() if command.id in (r.item, r.id)]
    items = {report.item for report in found}
    changes: list[Change] = [
        Put(report, replace(report, resolved_ms=at.now_ms)) for report in state.reports.values() if report.item in items
    ]
    return acted(state, who, at, LoggedAction("report.resolve", command.id), changes, {"id": command.id})


def settled(state: ScopeState, items: Iterable[str], at: Situation) -> list[Change]:
    """Resolves the reports of items that are gone."""
    gone = set(items)
    return [
        Put(report, replace(report, resolved_ms=at.now_ms)) for report in state.reports.values() if report.item in gone
    ]


COMMANDS = (
    StoredCommand(
        "item.report",
        ReportItem,
        _report,
        burst=5,
        per_s=0.1,
        messages=lambda command: (command.id,) if command.kind == "message" else (),
    ),
    StoredCommand("report.resolve", ReportResolve, _resolve, action=Action.CHAT_MODERATE),
)
