"""iCalendar's repetitions (RFC 5545 section 3.8.5), bounded: every rule ends. Pure.

All calculations use the zone's wall clock, as the RFC demands (a meeting at nine stays at nine when summer time
begins): naive datetimes in and out.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, takewhile

from dateutil.rrule import rruleset, rrulestr

MAX_OCCURRENCES = 1_000
"""The most occurrences of one rule."""
AHEAD = timedelta(days=400)
"""A rule is followed up to this time after today (or after its start, if that is later)."""
BEHIND = timedelta(days=60)
"""The time before today, for a rule without an end: the past years of a weekly meeting are useless here."""
BUDGET = 400_000
"""The days that all rules of a file may make us check together."""

_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_FIELD = re.compile(
    r"^(?:FREQ|UNTIL|COUNT|INTERVAL|WKST|BYSETPOS|BYMONTH|BYMONTHDAY|BYYEARDAY|BYWEEKNO|BYDAY|BYHOUR|BYMINUTE|BYSECOND)"
    r"=[A-Z0-9,+-]+$"
)


@dataclass(slots=True)
class Budget:
    """The work that is left for expanding rules; all rules of one file share it."""

    left: int = BUDGET


@dataclass(frozen=True, slots=True)
class Occurrences:
    starts: tuple[datetime, ...]
    """Wall clock, ascending: the original starts, that is RECURRENCE-IDs."""
    problem: str = ""
    """The reason why there are fewer than the rule demands; empty if all are there."""


def expand(
    start: datetime,
    rules: Sequence[str],
    *,
    dates: Collection[datetime] = (),
    but: Collection[datetime | date] = (),
    now: datetime,
    budget: Budget,
) -> Occurrences:
    """``rules``: values of RRULE lines, UNTIL already on the wall clock. ``dates``: RDATE. ``but``: EXDATE, where a
    bare date removes all occurrences of that day. The start itself counts, as in the RFC."""
    horizon = _later(max(start, now), AHEAD)
    problem = ""
    if horizon.year - start.year > _MOST_YEARS:
        return Occurrences((start,), "it begins too long ago")
    shift = _calendar_before_the_end(start.year, horizon.year)
    found = rruleset(cache=False)
    found.rdate(_shifted(start, shift))
    endless = False
    last = _shifted(horizon, shift)
    for rule in rules[:8]:
        fields = _fields(rule)
        problem = problem or _objection(fields)
        if problem:
            continue
        endless = endless or not ("COUNT" in fields or "UNTIL" in fields)
        cost = _cost(start, horizon, fields)
        if cost > budget.left:
            problem = "the rules of this file are too costly"
            continue
        budget.left -= cost
        try:
            found.rrule(rrulestr(_bounded(fields, start, horizon, shift), dtstart=_shifted(start, shift)))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
            problem = "its rule cannot be understood"
    for moment in list(dates)[:MAX_OCCURRENCES]:
        if start.year <= moment.year <= horizon.year:
            found.rdate(_shifted(moment, shift))
    left_out = frozenset(but)
    earliest = now - BEHIND if endless and start < now - BEHIND else datetime.min
    try:
        kept = (
            moment
            for moment in (_shifted(later, -shift) for later in takewhile(lambda later: later <= last, found))
            if moment >= earliest and moment not in left_out and moment.date() not in left_out
        )
        starts = tuple(islice(kept, MAX_OCCURRENCES + 1))
    except (ValueError, TypeError, OverflowError):
        return Occurrences((start,), "its rule cannot be followed")
    if len(starts) > MAX_OCCURRENCES:
        return Occurrences(starts[:MAX_OCCURRENCES], f"it repeats more than {MAX_OCCURRENCES} times")
    return Occurrences(starts, problem)


def _fields(rule: str) -> dict[str, str]:
    parts = [part for part in rule.upper().replace(" ", "").split(";") if _FIELD.match(part)]
    return dict(part.split("=", 1) for part in parts)


def _objection(fields: dict[str, str]) -> str:
    frequency = fields.get("FREQ", "")
    if frequency not in _FREQUENCIES:
        return f"it repeats {frequency.lower() or 'in no known way'}, which is not followed"
    interval = fields.get("INTERVAL", "1")
    if not interval.isdigit() or not 1 <= int(interval[:9]) <= 10_000:
        return "its interval is none"
    return ""


def _cost(start: datetime, horizon: datetime, fields: dict[str, str]) -> int:
    """The number of days to check, times the times of day in each."""
    days = (horizon - start).days + 28 * 366
    each = 1
    for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        each *= len(fields.get(name, "0").split(","))
    return days * each


_MOST_YEARS = 60


@lru_cache(maxsize=64)
def _calendar_before_the_end(first: int, last: int) -> int:
    """Years to add, so that ``first`` to ``last`` have the same calendars and are as near as possible to the year 9999.

    dateutil looks for an occurrence until it finds one or the calendar ends. A rule without any (30 February) would
    keep it busy for eight thousand years; near the end it gives up soon.
    """
    years = range(first, last + 1)
    for shift in range(MAXYEAR - last, MAXYEAR - last - 400, -1):
        if all(
            isleap(year) == isleap(year + shift) and date(year, 1, 1).weekday() == date(year + shift, 1, 1).weekday()
            for year in years
        ):
            return shift
    return 0


def _shifted(moment: datetime, years: int) -> datetime:
    return moment.replace(year=moment.year + years)


def _bounded(fields: dict[str, str], start: datetime, horizon: datetime, shift: int) -> str:
    """The rule with an UNTIL no later than the horizon, or with its COUNT; moved by ``shift`` years."""
    until = _moment(fields.get("UNTIL", ""))
    count = fields.get("COUNT", "")
    rest = {name: value for name, value in fields.items() if name not in ("UNTIL", "COUNT")}
    if count.isdigit():
        # RFC 5545, 3.3.10: UNTIL and COUNT must not occur in the same rule.
        rest["COUNT"] = str(min(int(count[:6]), MAX_OCCURRENCES + 1))
    else:
        end = max(start, min(until, horizon)) if until is not None else horizon
        rest["UNTIL"] = _shifted(end, shift).strftime("%Y%m%dT%H%M%S")
    return ";".join(f"{name}={value}" for name, value in rest.items())


def _moment(text: str) -> datetime | None:
    for form, length in (("%Y%m%dT%H%M%S", 15), ("%Y%m%d", 8)):
        try:
            moment = datetime.strptime(text[:length], form)
        except ValueError:
            continue
        return moment if length == 15 else datetime.combine(moment.date(), time.max).replace(microsecond=0)
    return None


def _later(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return datetime.max.replace(microsecond=0)
