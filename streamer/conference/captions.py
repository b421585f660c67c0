"""Captions as values: a text, its language, its media time. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cue:
    """About a sentence, as it was typed. ``at_ms``: the media time at which it was said."""

    id: str
    room: str
    lang: str
    text: str
    at_ms: int
    live_from_ms: int
    """The time when live outputs show it: later than ``at_ms`` if that time was already listed."""
    live_until_ms: int
    created_ms: int
    grant: str
    """The grant of the captioner."""
    session: str | None = None
    """The session that was on air at ``at_ms``."""
    live_text: str | None = None
    """The text in live outputs, if it was corrected after it had been listed."""

    @property
    def shown_live(self) -> str:
        return self.text if self.live_text is None else self.live_text


def language_tag(tag: str) -> str:
    """A BCP 47 tag (language, script, region) in its usual spelling: ``PT-br`` -> ``pt-BR``. Raises ValueError."""
    if _TAG.fullmatch(tag) is None:
        raise ValueError("must be a language tag such as fr, pt-BR or zh-Hant")
    language, *rest = tag.split("-")
    return "-".join([language.lower(), *(part.title() if len(part) == 4 else part.upper() for part in rest)])
