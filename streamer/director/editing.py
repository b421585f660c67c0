"""The allowed edits of a session in each state. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from streamer.conference.session_keys import with_generation
from streamer.conference.sessions import OPEN, Session, SessionState
from streamer.errors import Conflict

TOLD = frozenset({"room", "also_in", "title", "start_ms", "end_ms", "speakers", "language", "subtitle", "url", "track"})
"""Changes that people with the session in a calendar should learn of (SEQUENCE, RFC 5545, 3.8.7.4)."""
PLANNED_TIMES = frozenset({"start_ms", "end_ms"})
PLANNED = PLANNED_TIMES | {"room"}


def edited(session: Session, fields: Mapping[str, Any]) -> Session:
    """``session`` with ``fields`` of it changed.

    Raises Conflict ``session_runs`` or ``session_over`` for changes to the plan of a session that has begun.
    """
    changed = {name: value for name, value in fields.items() if getattr(session, name) != value}
    if not changed:
        return session
    if session.state not in OPEN and PLANNED & set(changed):
        raise Conflict("The session is over; its plan cannot change.", code="session_over")
    if session.running and "room" in changed:
        raise Conflict("The session is on air; it cannot change its room.", code="session_runs")
    if "start_ms" in changed:
        # The plan itself has changed, so it contains the delay.
        changed["delay_ms"] = 0
    if PLANNED_TIMES & set(changed):
        # And so has its length: delays took nothing of it.
        changed["shortened_ms"] = 0
    if session.running and "end_ms" in changed:
        changed["extended_until_ms"] = None
    if changed.get("room") == "" and session.state is SessionState.ARMED:
        changed["state"] = SessionState.SCHEDULED
    new = with_generation(session, replace(session, **changed))
    if TOLD & set(changed):
        new = replace(new, sequence=session.sequence + 1)
    return new


def check_removable(session: Session) -> None:
    """Raises Conflict ``session_began`` for a session that has been on air."""
    if session.started_ms is not None or session.running or session.state is SessionState.ENDED:
        raise Conflict("The session has been on air; it cannot be deleted.", code="session_began")
