"""The words and bodies of messages about alarms, for each kind of hook. Pure.

``facts`` of a message are what it may tell, made when the alarm rings and kept for retries. They hold no keys:
each attempt has its own links.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from zoneinfo import ZoneInfo

from streamer.conference.alarms import Alarm
from streamer.conference.rooms import Room
from streamer.store.hooks import Hook, HookMessage

WEBHOOK_SECRET = "whsec_"  # noqa: S105
"""The prefix of a secret's text (Standard Webhooks)."""
_LANGUAGES = {
    "en": {
        "since": "Since {time}.",
        "ended": "Over: {cause}",
        "take": "I take it",
        "open": "See what is wrong",
        "test": "A test: alarms reach you here.",
        "offered": "{label} hands over duty to you.",
        "minutes": "The button works for 15 minutes.",
    },
    "fr": {
        "since": "Depuis {time}.",
        "ended": "C’est fini : {cause}",
        "take": "Je m’en occupe",
        "open": "Voir ce qui ne va pas",
        "test": "Un essai : les alarmes vous parviennent ici.",
        "offered": "{label} vous passe la garde.",
        "minutes": "Le bouton marche pendant 15 minutes.",
    },
}


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses for one person and one alarm; empty: there is none."""

    page: str = ""
    take: str = ""
    still: str = ""
    clip: str = ""


@dataclass(frozen=True, slots=True)
class Wording:
    """A message in somebody's language."""

    title: str
    text: str
    take: str
    open: str


def incident_id(alarm: str) -> str:
    """The name of a trouble outside. An alarm's own id may have the id of a session that is closed."""
    return hashlib.sha256(alarm.encode()).hexdigest()[:24]


def facts_of(
    alarm: Alarm, room: Room, cause: str, remedy: str, title: str, zone: str, *, confidential: bool
) -> dict[str, Any]:
    """All that a message of the alarm may tell; of a confidential one the room and the cause."""
    facts: dict[str, Any] = {"room": room.id, "room_name": room.name, "kind": alarm.code, "cause": cause}
    if not confidential:
        facts |= {"alarm": alarm.id, "since_ms": alarm.since_ms, "remedy": remedy, "title": title, "zone": zone}
    return facts


def without_details(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a confidential message."""
    return {name: facts[name] for name in ("room", "room_name", "kind", "cause") if name in facts}


def wording(message: HookMessage, language: str) -> Wording:
    words = _LANGUAGES.get(language, _LANGUAGES["en"])
    facts = message.facts
    if message.kind == "test":
        title, lines = "Streamer", [words["test"]]
    elif message.kind == "offered":
        title, lines = "Streamer", [words["offered"].format(label=facts.get("label", ""))]
    else:
        cause = str(facts.get("cause", ""))
        cause = words["ended"].format(cause=cause) if message.kind == "ended" else cause
        title, lines = f"{facts.get('room_name', '')}: {cause}", []
        if message.kind == "began":
            lines.append(str(facts.get("remedy", "")))
            if (since_ms := facts.get("since_ms")) is not None:
                zone = ZoneInfo(str(facts.get("zone") or "UTC"))
                lines.append(words["since"].format(time=f"{datetime.fromtimestamp(since_ms / 1000, zone):%H:%M}"))
        lines.append(str(facts.get("title", "")))
    return Wording(title, "\n".join(line for line in lines if line), words["take"], words["open"])


# --- webhooks (https://www.standardwebhooks.com) ----------------------------------------------------


def webhook_body(message: HookMessage, links: Links) -> bytes:
    facts = {name: value for name, value in message.facts.items() if name not in ("since_ms", "zone")}
    data: dict[str, Any] = {"incident": incident_id(message.alarm), **facts} if message.alarm else facts
    if (since_ms := message.facts.get("since_ms")) is not None:
        data["since"] = rfc3339(since_ms)
    if links.page:
        data["link"] = links.page
    if links.take:
        data["take"] = {"method": "POST", "url": links.take}
    data |= {name: value for name in ("still", "clip") if (value := getattr(links, name))}
    kind = (
        "duty.offered" if message.kind == "offered" else "test" if message.kind == "test" else f"alarm.{message.kind}"
    )
    body = {"type": kind, "timestamp": rfc3339(message.created_ms), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def webhook_headers(hook: Hook, message_id: str, body: bytes, now_ms: int) -> dict[str, str]:
    stamp = str(now_ms // 1000)
    signed = b".".join((message_id.encode(), stamp.encode(), body))
    mac = hmac.new(b64decode(hook.secret.removeprefix(WEBHOOK_SECRET)), signed, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{b64encode(mac).decode()}",
    }


def rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- the others -------------------------------------------------------------------------------------


def push_body(message: HookMessage, words: Wording, links: Links, language: str) -> bytes:
    """For the service worker of the pages (``web/public/service-worker.js``)."""
    body: Mapping[str, Any] = {
        "kind": message.kind,
        "title": words.title[:200],
        "text": words.text[:600],
        "lang": language,
        "tag": incident_id(message.alarm) if message.alarm else message.kind,
        "link": links.page,
        "take": links.take,
        "takeLabel": words.take,
        "image": links.still,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def ntfy_body(topic: str, message: HookMessage, words: Wording, links: Links) -> bytes:
    """https://docs.ntfy.sh/publish/#publish-as-json"""
    rings = message.kind == "began"
    body: dict[str, Any] = {
        "topic": topic,
        "title": words.title[:200],
        "message": words.text[:600] or words.title[:600],
        "priority": 5 if rings else 3,
        "tags": ["rotating_light" if rings else "white_check_mark"],
    }
    if links.page:
        body["click"] = links.page
    if links.still:
        body["attach"] = links.still
    if links.take:
        body["actions"] = [
            {"action": "http", "label": words.take, "url": links.take, "method": "POST", "clear": True},
        ]
    return json.dumps(body, ensure_ascii=False).encode()


def mail(message: HookMessage, words: Wording, links: Links, sender: str, to: str) -> EmailMessage:
    """Mails of one trouble are one thread."""
    out = EmailMessage()
    host = sender.rpartition("@")[2]
    out["Subject"] = " ".join(words.title.split())[:200]
    out["From"], out["To"] = sender, to
    out["Date"] = datetime.fromtimestamp(message.created_ms / 1000, UTC)
    out["Message-ID"] = f"<{message.id}@{host}>"
    # RFC 3834, 5: nobody on holiday answers it.
    out["Auto-Submitted"] = "auto-generated"
    if message.alarm:
        out["References"] = f"<{incident_id(message.alarm)}@{host}>"
    if message.kind == "began":
        out["X-Priority"] = "1"
    lines = [words.title, words.text]
    if links.page:
        lines += ["", f"{words.open}, {words.take}:", links.page]
    out.set_content("\n".join(line for line in lines) + "\n")
    return out
