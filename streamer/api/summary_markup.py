"""A page's summary as HTML: the elements of its head, and the text that stands until the page's program has loaded.

Pure. Every value is escaped here: in text and attributes as HTML, in the block of schema.org as JSON without ``<``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from streamer.api.summaries import SITE, PageSummary, RoomFacts, Said, SessionFacts, description_of, moment
from streamer.conference.rooms import DEFAULT_ZONE, Venue

TWELVE_HOURS = frozenset(["US", "CA", "AU", "NZ", "PH", "IN", "PK", "BD", "EG", "SA", "CO", "MY", "KR"])
"""Regions whose clocks have twelve hours (CLDR, ``timeData``, the larger ones). Without a region clocks have 24, as the
slate has."""

_WORDS = {
    "en": {
        "home": "Rooms",
        "lead": "Live broadcasts and their replays.",
        "now": "In the rooms now",
        "empty": "No rooms yet.",
        "live": "Live now",
        "next": "Next, {time}",
        "rooms": "All rooms",
        "reserved": "Reserved until {time}",
        "hold": "Please wait",
        "not_streamed": "This session is not streamed.",
        "free": "Nothing is on at the moment.",
        "ahead": "Not started yet",
        "cancelled": "Cancelled",
        "replay": "Replay",
        "over": "Ended",
        "said": "What was said",
        "said_now": "What is being said",
        "picture": "Picture of {title}",
        "script": "To watch and to take part, the page needs JavaScript.",
        "stream": "Watch in a media player",
        "archive": "Past sessions",
        "archive_lead": "Watch again what was on, or find where something was said.",
        "archive_empty": "No replay yet.",
    },
    "fr": {
        "home": "Salles",
        "lead": "Diffusions en direct et rediffusions.",
        "now": "Dans les salles en ce moment",
        "empty": "Pas encore de salle.",
        "live": "En direct",
        "next": "Ensuite, {time}",
        "rooms": "Toutes les salles",
        "reserved": "Réservée jusqu’à {time}",
        "hold": "Merci de patienter",
        "not_streamed": "Cette session n’est pas diffusée.",
        "free": "Rien à l’antenne pour le moment.",
        "ahead": "Pas encore commencé",
        "cancelled": "Annulée",
        "replay": "Rediffusion",
        "over": "Terminée",
        "said": "Ce qui a été dit",
        "said_now": "Ce qui se dit en ce moment",
        "picture": "Image de {title}",
        "script": "Pour regarder et participer, la page a besoin de JavaScript.",
        "stream": "Regarder dans un lecteur multimédia",
        "archive": "Sessions passées",
        "archive_lead": "Revoyez ce qui a eu lieu, ou retrouvez où quelque chose a été dit.",
        "archive_empty": "Pas encore de rediffusion.",
    },
}
_DAYS = {
    "en": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "fr": ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"],
}
_MONTHS = {
    lang: names.split()
    for lang, names in {
        "en": "January February March April May June July August September October November December",
        "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    }.items()
}
_LOCALES = {"en": "en_GB", "fr": "fr_FR"}

STYLE = (
    # The colours of tokens.css, which is not here yet; a branding's are.
    "html{background:var(--color-page,#0c0f15);color:var(--color-text,#f3f5f9)}"
    "@media(prefers-color-scheme:light){html{background:var(--color-page,#f4f6f9);color:var(--color-text,#131821)}}"
    ".first a{color:var(--color-accent)}"
    ".first{max-width:60rem;margin:0 auto;padding:1rem;font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}"
    ".first h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0}.first h2{font-size:1.15rem;margin:1.2rem 0 .4rem}"
    ".first p{margin:.2rem 0}.first ul{padding-left:1.2rem}"
    ".first .frame{aspect-ratio:16/9;background:#0a0d13;margin:0 0 1rem}"
    ".first img{display:block;width:100%;height:100%;object-fit:contain}.first .plain{white-space:pre-line}"
    ".first noscript p{padding:0;text-align:start}"
)


@dataclass(frozen=True, slots=True)
class Reader:
    """The reader of a page: language and clock."""

    lang: str
    twelve: bool = False

    def say(self, word: str, **values: str) -> str:
        """A text with its values, escaped."""
        return escape(_WORDS[self.lang][word].format(**values))

    def clock(self, at: datetime) -> str:
        if not self.twelve:
            return f"{at:%H:%M}"
        return f"{at.hour % 12 or 12}:{at:%M} {'AM' if at.hour < 12 else 'PM'}"

    def day(self, at: datetime) -> str:
        """``Tuesday 24 November 2026``"""
        return f"{_DAYS[self.lang][at.weekday()]} {at.day} {_MONTHS[self.lang][at.month - 1]} {at.year}"


def reader_of(lang: str, accept_language: str) -> Reader:
    """``accept_language``: the header. The first tag of the page's language decides about the clock."""
    for item in accept_language[:500].split(","):
        language, _, rest = item.partition(";")[0].strip().partition("-")
        if language.lower() == lang:
            return Reader(lang, lang == "en" and rest.rpartition("-")[2].upper() in TWELVE_HOURS)
    return Reader(lang)


# --- the head ---------------------------------------------------------------------------------------


def title_of(summary: PageSummary, reader: Reader) -> str:
    title = summary.title or _WORDS[reader.lang]["home" if summary.replays is None else "archive"]
    return title if title.endswith(summary.site) else f"{title} · {summary.site}"


def describe(summary: PageSummary, reader: Reader) -> str:
    """One or two sentences for a link's preview, not escaped."""
    words = _WORDS[reader.lang]
    facts = summary.main
    if facts is None:
        room = summary.room
        if room is None:
            return words["lead" if summary.replays is None else "archive_lead"]
        return room.place if room.next is None else _unescaped_next(room.next, reader)
    about = description_of(facts)
    parts = [", ".join(facts.session.speakers), facts.place, _when(facts, reader)]
    line = " · ".join(part for part in parts if part)
    return f"{line} — {about}" if about else line


def head(summary: PageSummary, reader: Reader, public_url: str) -> str:
    """Title, description, ``og:``, Twitter's card, schema.org, and the way to oEmbed."""
    url = f"{public_url}{summary.path}"
    title = summary.title or (summary.site if summary.replays is None else _WORDS[reader.lang]["archive"])
    text = describe(summary, reader)
    facts = summary.main
    watchable = facts is not None and facts.stage in ("live", "replay")
    named = [("description", text), ("twitter:card", "summary_large_image" if summary.picture else "summary")]
    properties = [
        ("og:site_name", _site(summary)),
        ("og:type", "video.other" if watchable else "website"),
        ("og:title", title),
        ("og:description", text),
        ("og:url", url),
        ("og:locale", _LOCALES[reader.lang]),
    ]
    if summary.picture:
        properties.append(("og:image", _absolute(public_url, summary.picture)))
        properties.append(("og:image:alt", _WORDS[reader.lang]["picture"].format(title=title)))
    if watchable and summary.embed:
        properties += [
            ("og:video", f"{public_url}{summary.embed}"),
            ("og:video:type", "text/html"),
            ("og:video:width", "1280"),
            ("og:video:height", "720"),
        ]
    parts = [f"<title>{escape(title_of(summary, reader))}</title>"]
    parts += [f'<meta name="{name}" content="{escape(value)}">' for name, value in named]
    parts += [f'<meta property="{name}" content="{escape(value)}">' for name, value in properties]
    parts.append(f'<link rel="canonical" href="{escape(url)}">')
    if summary.embed:
        for kind in ("json", "xml"):
            address = f"{public_url}/oembed?{urlencode({'url': url, 'format': kind})}"
            parts.append(
                f'<link rel="alternate" type="{"application/json" if kind == "json" else "text/xml"}+oembed" '
                f'href="{escape(address)}" title="{escape(title)}">'
            )
    data = list(summary.data)
    if summary.rooms is not None:
        data.insert(0, {"@type": "WebSite", "name": _site(summary), "url": f"{public_url}/"})
    if data:
        parts.append(_data_block(data))
    parts.append(f"<style>{STYLE}</style>")
    return "".join(parts)


def _data_block(data: Sequence[Mapping[str, Any]]) -> str:
    told = {"@context": "https://schema.org", "@graph": data}
    # In a data block only "</" and "<!--" could end it early.
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/ld+json">{text}</script>'


def _site(summary: PageSummary) -> str:
    if summary.site != SITE:
        return summary.site
    facts = summary.main
    venue: Venue | None = summary.room.venue if summary.room is not None else facts.venue if facts is not None else None
    return SITE if venue is None else venue.name


def _absolute(public_url: str, address: str) -> str:
    return address if address.startswith(("https://", "http://")) else f"{public_url}{address}"


# --- the text ---------------------------------------------------------------------------------------


def text(summary: PageSummary, reader: Reader) -> str:
    """The page's text: readable without JavaScript, replaced by the page's program."""
    if summary.session is not None:
        inner = _session_text(summary, summary.session, reader)
    elif summary.room is not None:
        inner = _room_text(summary, summary.room, reader)
    elif summary.replays is not None:
        inner = _archive_text(summary.replays, reader)
    else:
        inner = _home_text(summary.rooms or (), reader)
    return f'<main class="first">{inner}</main>'


def _home_text(rooms: Sequence[RoomFacts], reader: Reader) -> str:
    items = "".join(f"<li>{_room_line(room, reader)}</li>" for room in rooms)
    listed = f"<ul>{items}</ul>" if items else f"<p>{reader.say('empty')}</p>"
    return (
        f"<h1>{reader.say('home')}</h1><p>{reader.say('lead')}</p><h2>{reader.say('now')}</h2>{listed}"
        f'<p><a href="/schedule.ics">iCalendar</a> · <a href="/schedule.xml">XML</a></p>'
    )


def _archive_text(replays: Sequence[SessionFacts], reader: Reader) -> str:
    items = "".join(
        f"<li><p>{_linked(facts)} · {_when_marked(facts, reader)}</p>{_speakers(facts, reader)}</li>"
        for facts in replays
    )
    listed = f"<ul>{items}</ul>" if items else f"<p>{reader.say('archive_empty')}</p>"
    return f"<h1>{reader.say('archive')}</h1><p>{reader.say('archive_lead')}</p>{listed}{_ways(reader, '')}"


def _room_line(room: RoomFacts, reader: Reader) -> str:
    link = f'<a href="/watch/{quote(room.room.id)}">{escape(room.place)}</a>'
    parts = [f"<p><strong>{link}</strong></p>"]
    parts.append(_now_line(room, reader))
    if room.next is not None:
        parts.append(f"<p>{_next(room.next, reader)}</p>")
    return "".join(parts)


def _now_line(room: RoomFacts, reader: Reader) -> str:
    """The state of the room, in one line."""
    if room.current is not None:
        facts = room.current
        live = reader.say("live") if facts.session.streamed else reader.say("not_streamed")
        return f"<p>{live} · {_linked(facts)} · {_times(facts, reader)}</p>{_speakers(facts, reader)}"
    return f"<p>{_word(room, reader)}</p>"


def _word(room: RoomFacts, reader: Reader) -> str:
    status = room.status
    zone = ZoneInfo(room.venue.timezone if room.venue is not None else DEFAULT_ZONE)
    if status.hold is not None:
        return escape(status.hold.message) or reader.say("hold")
    if status.reserved_until_ms is not None:
        return reader.say("reserved", time=reader.clock(datetime.fromtimestamp(status.reserved_until_ms / 1000, zone)))
    return reader.say("free")


def _room_text(summary: PageSummary, room: RoomFacts, reader: Reader) -> str:
    facts = room.current
    heading = room.room.name if facts is None else facts.session.title
    lang = "" if facts is None else _lang(facts.session.language)
    parts = [_frame(summary.picture, heading, reader), f"<h1{lang}>{escape(heading)}</h1>"]
    if facts is None:
        parts += [f"<p>{escape(room.place)}</p>", f"<p>{_word(room, reader)}</p>"]
    else:
        parts += [
            _speakers(facts, reader),
            f"<p>{escape(facts.place)}</p>",
            f"<p>{reader.say('live' if facts.session.streamed else 'not_streamed')} · {_times(facts, reader)}</p>",
            _about(facts),
        ]
    if room.next is not None:
        parts.append(f"<p>{_next(room.next, reader)}</p>")
    if facts is not None:
        parts.append(_transcript(facts, "said_now", reader))
    player = f"/live/{quote(room.room.id)}/index.m3u8" if room.picture else ""
    return "".join(parts) + _ways(reader, player)


def _session_text(summary: PageSummary, facts: SessionFacts, reader: Reader) -> str:
    session = facts.session
    parts = [_frame(summary.picture, session.title, reader)]
    if facts.event is not None:
        parts.append(f"<p>{escape(facts.event.name)}</p>")
    parts.append(f"<h1{_lang(session.language)}>{escape(session.title)}</h1>")
    if session.subtitle:
        parts.append(f"<p{_lang(session.language)}>{escape(session.subtitle)}</p>")
    streamed = facts.stage != "live" or session.streamed
    parts += [
        _speakers(facts, reader),
        f"<p>{reader.say(facts.stage) if streamed else reader.say('not_streamed')} · {_when_marked(facts, reader)}</p>",
        f'<p><a href="/watch/{quote(session.room)}">{escape(facts.place)}</a></p>'
        if session.room
        else f"<p>{escape(facts.place)}</p>",
    ]
    if session.tags:
        parts.append(f"<p>{escape(', '.join(session.tags))}</p>")
    parts.append(_about(facts))
    player = ""
    if facts.stage == "replay":
        player = f"/replay/{quote(session.id)}/index.m3u8"
    elif facts.stage == "live" and session.streamed:
        player = f"/live/{quote(session.room)}/index.m3u8"
    return "".join(parts) + _ways(reader, player) + _transcript(facts, "said", reader)


def _frame(picture: str, title: str, reader: Reader) -> str:
    """The place of the picture, as large as the player will be."""
    if not picture:
        return ""
    alt = reader.say("picture", title=title)
    # Over a slow link, what plays the broadcast comes first.
    return f'<div class="frame"><img src="{escape(picture)}" alt="{alt}" fetchpriority="low"></div>'


def _about(facts: SessionFacts) -> str:
    abstract = facts.session.abstract.strip()
    return f'<p class="plain"{_lang(facts.session.language)}>{escape(abstract)}</p>' if abstract else ""


def _speakers(facts: SessionFacts, reader: Reader) -> str:
    return f"<p>{escape(', '.join(facts.session.speakers))}</p>" if facts.session.speakers else ""


def _transcript(facts: SessionFacts, heading: str, reader: Reader) -> str:
    if not facts.said:
        return ""
    lines = "".join(f"<p>{escape(line.text)}</p>" for line in _joined(facts.said))
    return f"<section><h2>{reader.say(heading)}</h2><div{_lang(facts.said_language)}>{lines}</div></section>"


def _joined(said: Iterable[Said]) -> list[Said]:
    """Lines as paragraphs of about half a minute."""
    found: list[Said] = []
    for line in said:
        if found and line.at_ms - found[-1].at_ms < 30_000:
            found[-1] = Said(found[-1].at_ms, f"{found[-1].text} {line.text}")
        else:
            found.append(line)
    return found


def _ways(reader: Reader, playlist: str) -> str:
    player = f'<p><a href="{escape(playlist)}">{reader.say("stream")}</a></p>' if playlist else ""
    return f'<noscript><p>{reader.say("script")}</p>{player}</noscript><p><a href="/">{reader.say("rooms")}</a></p>'


def _linked(facts: SessionFacts) -> str:
    link = f"/session/{quote(facts.session.id)}"
    return f'<a href="{link}"{_lang(facts.session.language)}>{escape(facts.session.title)}</a>'


def _next(facts: SessionFacts, reader: Reader) -> str:
    begin = datetime.fromtimestamp(facts.start_ms / 1000, facts.zone)
    names = f" · {escape(', '.join(facts.session.speakers))}" if facts.session.speakers else ""
    return f"{reader.say('next', time=reader.clock(begin))} · {_linked(facts)}{names}"


def _unescaped_next(facts: SessionFacts, reader: Reader) -> str:
    begin = datetime.fromtimestamp(facts.start_ms / 1000, facts.zone)
    soon = _WORDS[reader.lang]["next"].format(time=reader.clock(begin))
    return f"{soon} · {facts.session.title} · {facts.place}"


def _times(facts: SessionFacts, reader: Reader) -> str:
    return " – ".join(_time(ms, facts, reader) for ms in (facts.start_ms, facts.end_ms))


def _time(ms: int, facts: SessionFacts, reader: Reader) -> str:
    at = datetime.fromtimestamp(ms / 1000, facts.zone)
    return f'<time datetime="{moment(ms, facts.zone)}">{reader.clock(at)}</time>'


def _when(facts: SessionFacts, reader: Reader) -> str:
    """Day and times in the venue's zone, not escaped."""
    begin, end = (datetime.fromtimestamp(ms / 1000, facts.zone) for ms in (facts.start_ms, facts.end_ms))
    return f"{reader.day(begin)}, {reader.clock(begin)}–{reader.clock(end)}"


def _when_marked(facts: SessionFacts, reader: Reader) -> str:
    begin = datetime.fromtimestamp(facts.start_ms / 1000, facts.zone)
    return f"{escape(reader.day(begin))}, {_times(facts, reader)}"


def _lang(language: str) -> str:
    return f' lang="{escape(language)}"' if language else ""
