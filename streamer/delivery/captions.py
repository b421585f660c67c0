"""Captions in HLS: subtitle renditions, and WebVTT segments on the media's own clock. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from streamer.archive.material import Span
from streamer.audience.captions import PlacedCue
from streamer.broadcast.programme import TICKS_PER_MS

GROUP = "captions"
PREFIX = "captions-"
"""The start of the names of subtitle renditions; no rendition of pictures or sound begins so."""
VTT_TYPE = "text/vtt; charset=utf-8"

_AUTONYMS = {
    "ar": "العربية",
    "bg": "Български",
    "br": "Brezhoneg",
    "ca": "Català",
    "co": "Corsu",
    "cs": "Čeština",
    "cy": "Cymraeg",
    "da": "Dansk",
    "de": "Deutsch",
    "el": "Ελληνικά",
    "en": "English",
    "es": "Español",
    "et": "Eesti",
    "eu": "Euskara",
    "fa": "فارسی",
    "fi": "Suomi",
    "fr": "Français",
    "ga": "Gaeilge",
    "gl": "Galego",
    "he": "עברית",
    "hi": "हिन्दी",
    "hr": "Hrvatski",
    "hu": "Magyar",
    "hy": "Հայերեն",
    "it": "Italiano",
    "ja": "日本語",
    "ka": "ქართული",
    "ko": "한국어",
    "lt": "Lietuvių",
    "lv": "Latviešu",
    "mt": "Malti",
    "nb": "Norsk bokmål",
    "nl": "Nederlands",
    "oc": "Occitan",
    "pl": "Polski",
    "pt": "Português",
    "ro": "Română",
    "ru": "Русский",
    "sk": "Slovenčina",
    "sl": "Slovenščina",
    "sq": "Shqip",
    "sr": "Српски",
    "sv": "Svenska",
    "th": "ไทย",
    "tr": "Türkçe",
    "uk": "Українська",
    "vi": "Tiếng Việt",
    "zh": "中文",
}


class CaptionSource(Protocol):
    """The source of typed captions: ``streamer.audience.captioning.Captioning``."""

    async def live(self, room: str, lang: str, from_ms: int, to_ms: int) -> Sequence[tuple[int, PlacedCue]]:
        """The cues of live outputs in a stretch, each with the media time at which it was said."""
        ...

    async def said(self, room: str, lang: str, from_ms: int, to_ms: int) -> Sequence[PlacedCue]:
        """The cues of a stretch at their own times."""
        ...


class NoCaptions:
    """A source without captions."""

    async def live(self, room: str, lang: str, from_ms: int, to_ms: int) -> Sequence[tuple[int, PlacedCue]]:
        return ()

    async def said(self, room: str, lang: str, from_ms: int, to_ms: int) -> Sequence[PlacedCue]:
        return ()


def rendition_name(language: str) -> str:
    return PREFIX + language


def language_of(rendition: str, languages: Sequence[str]) -> str | None:
    """The language of a declared subtitle rendition; None for any other name."""
    if not rendition.startswith(PREFIX):
        return None
    language = rendition.removeprefix(PREFIX)
    return language if language in languages else None


def autonym(tag: str) -> str:
    """A language's name in itself: ``fr`` -> ``Français``, ``pt-BR`` -> ``Português (BR)``."""
    language, _, rest = tag.partition("-")
    name = _AUTONYMS.get(language, language)
    return f"{name} ({rest})" if rest else name


def media_line(language: str, folder: str, query: str) -> str:
    """4.4.6.1: captions have both speech and sounds, so they are declared for people who cannot hear."""
    return (
        f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="{GROUP}",NAME="{autonym(language)}",LANGUAGE="{language}",'
        'DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,CHARACTERISTICS="public.accessibility.transcribes-spoken-dialog,'
        f'public.accessibility.describes-music-and-sound",URI="{folder}/{rendition_name(language)}.m3u8{query}"'
    )


def segment_uri(key: str, rendition: str, msn: int) -> str:
    return f"{key}/{rendition}/{msn}.vtt"


def cut(said: Iterable[PlacedCue], spans: Iterable[Span], from_ms: int, to_ms: int) -> list[PlacedCue]:
    """The cues of a stretch of an edition: those that begin in a part that it shows, ended where that part ends."""
    shown = tuple(spans)
    out = []
    for cue in said:
        if cue.from_ms >= to_ms:
            break
        if cue.to_ms <= from_ms:
            continue
        span = next((span for span in shown if span.from_ms <= cue.from_ms < span.to_ms), None)
        if span is None or min(cue.to_ms, span.to_ms) <= from_ms:
            continue
        out.append(replace(cue, to_ms=min(cue.to_ms, span.to_ms)))
    return out


def webvtt(cues: Iterable[PlacedCue], epoch_ms: int) -> bytes:
    """A segment with these cues, their times on the media's clock (3.5: X-TIMESTAMP-MAP).

    A cue that goes on in the next segment stands in both with the same times and id: players show it once. The map is
    one tick (11 µs) off zero, because hls.js takes a difference of zero between the clocks for an unknown one.
    """
    out = ["WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:1,LOCAL:00:00:00.000\n"]
    for cue in cues:
        begin, end = max(0, cue.from_ms - epoch_ms), cue.to_ms - epoch_ms
        out.append(f"\n{cue.id}\n{_time(begin)} --> {_time(end)}\n{_escaped(cue.text)}\n")
    return "".join(out).encode()


def _time(ms: int) -> str:
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"


def _escaped(text: str) -> str:
    """WebVTT 6.4: typed text cannot become a tag, a reference, or the end of a cue."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def to_ms(epoch_ms: int, ticks: int) -> int:
    """Media time of a tick, rounded to the nearest millisecond, as PROGRAM-DATE-TIME is."""
    return epoch_ms + (ticks + TICKS_PER_MS // 2) // TICKS_PER_MS
