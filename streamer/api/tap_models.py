"""The bodies of people's actions on sessions and rooms, and their answers. The OpenAPI document is made from these."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from streamer.api.models import Body, LazyModel, Line, Moment, to_moment, to_ms
from streamer.api.session_models import SessionCrewView
from streamer.broadcast.programme import SOURCE_PATTERN
from streamer.conference.sessions import Hold
from streamer.conference.sources import MAX_GAIN_DB, MIN_GAIN_DB


class AtBody(Body):
    at: int | Moment | None = None
    """A media time (integer milliseconds UTC, or RFC 3339) up to 30 minutes back; left out: now."""

    @property
    def at_ms(self) -> int | None:
        return self.at if self.at is None or isinstance(self.at, int) else to_ms(self.at)


class ExtendBody(Body):
    minutes: int = Field(ge=1, le=24 * 60)


class DelayBody(Body):
    minutes: int = Field(ge=-24 * 60, le=24 * 60)
    """Negative: earlier."""
    following: bool = False


class AnswerBody(Body):
    record: bool | None = None
    stream: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.record is None and self.stream is None:
            raise ValueError("answer record or stream")
        return self


class AdHocBody(Body):
    title: Line | None = None


class HoldBody(Body):
    """``until`` is only shown; the room does not resume by itself."""

    message: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    until: Moment | None = None

    @property
    def until_ms(self) -> int | None:
        return to_ms(self.until)


class ResumeBody(Body):
    shift: bool = False
    """Whether the rest of the day moves by the length of the hold."""


class AirBody(Body):
    slate: bool | None = None
    source: Annotated[str, StringConstraints(pattern=SOURCE_PATTERN)] | None = None
    gain_db: float | None = Field(None, ge=MIN_GAIN_DB, le=MAX_GAIN_DB)


class ForgetBody(Body):
    """The last ``minutes``, or the stretch between two media times (milliseconds UTC, three hours at most)."""

    minutes: float | None = Field(None, gt=0, le=180)
    from_ms: int | None = Field(None, ge=0)
    to_ms: int | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.minutes is None) == (self.from_ms is None) or (self.from_ms is None) != (self.to_ms is None):
            raise ValueError("name minutes, or from_ms and to_ms")
        if self.from_ms is not None and self.to_ms is not None and not 0 < self.to_ms - self.from_ms <= 180 * 60_000:
            raise ValueError("to_ms comes after from_ms, by three hours at most")
        return self


class HoldView(LazyModel):
    message: str
    since: Moment
    until: Moment | None

    @classmethod
    def of(cls, hold: Hold | None) -> HoldView | None:
        if hold is None:
            return None
        return cls(message=hold.message, since=to_moment(hold.since_ms), until=to_moment(hold.until_ms))


class SessionCrewDone(SessionCrewView):
    """A session after an action, and the id of the action for undoing it; null if nothing changed."""

    action: str | None


class Done(LazyModel):
    """The result of an action on rooms."""

    action: str | None
    actions: list[str] = []
    """One action for each room, if there are several rooms."""
    rooms: list[str] = []
    sessions: list[SessionCrewView] = []
