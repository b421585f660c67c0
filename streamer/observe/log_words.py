"""Log lines for people at a terminal: local time, a sentence, who says it. Programs read JSON, which stays as it is."""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

SENTENCES = {
    "another_directs": "Another server directs this database: {by}.",
    "broadcast_recovered": "The broadcast goes on from its files.",
    "broadcast_resumed": "The broadcast goes on where it was.",
    "bus_dropped": "The bus lost {dropped} messages so far: this process, or the NATS server, is too slow ({subject}).",
    "bus_failed": "The bus does not work: {error}.",
    "bus_lost": "The bus is lost ({error}), {url}.",
    "bus_message_lost": "A message on the bus was lost ({subject}): {error}.",
    "bus_not_allowed": "The NATS server {url} does not let the {role} {what}.",
    "bus_up": "The bus works over {url}.",
    "certificate_reloaded": "The new TLS certificate is in use.",
    "certificate_unreadable": "The new TLS certificate cannot be read, the old one stays: {error}.",
    "child_cannot_start": "The {child} process cannot be started: {error}.",
    "child_ended": "The {child} process has ended with code {code} and is started again.",
    "child_killed": "The {child} process did not end in time and was killed.",
    "data_closed": "{path} was open to others ({mode}) and is closed now.",
    "data_not_ours": "{path} ({mode}) belongs to another user.",
    "directs": "This server directs from now on.",
    "disk": "The disk is in trouble ({trouble}) at {folder}: {error}.",
    "encoder_did_not_open": "Encoder {encoder} does not open for {rung}: {error}.",
    "encoder_overload": "The encoders do not keep up.",
    "first_admin_link": "Nobody is admin here yet: a one-time link for the first one stands in {path}, until {until}.",
    "input_failed": "The input failed: {error}.",
    "input_opened": "The input is open: video {video}, audio {audio}.",
    "media_host_adopted": "The media host of a former serve goes on (process {pid}).",
    "media_host_away": "The media host does not answer.",
    "media_host_found": "The media host answers; {rooms} rooms are open.",
    "media_host_started": "The media host runs (process {pid}); files are in {data}.",
    "nothing_recorded": "Nothing was recorded of session {session}.",
    "not_erased": "Something should be erased and cannot be.",
    "offer_refused": "The offer of {client} was refused: {error}.",
    "publication_closed": "Source {source} is not published any more ({reason}).",
    "publication_connected": "Source {source} is published by {client}.",
    "publishing": "Publishing to {url}.",
    "publishing_interrupted": "Publishing was interrupted and is tried again: {reason}",
    "recording_not_kept": "The recording of session {session} could not be kept: {error}.",
    "request": "{method} {route}: {status} to {client} in {ms} ms.",
    "request_failed": "A request failed: {method} {route}.",
    "room_adopted": "The room goes on (process {pid}).",
    "room_away": "The room does not answer.",
    "room_closed": "The room is closed.",
    "room_killed_silent": "The room gave no sign and was killed: {reason}.",
    "room_not_started": "The room could not be started.",
    "room_opened": "The room is open with {renditions}.",
    "room_out_of_memory": "The room took more than {limit_mb} MB and was ended.",
    "room_started": "The room's process runs (process {pid}).",
    "room_up": "The room answers.",
    "schedule_not_read": "The schedule of event {schedule} could not be read: {error}",
    "schedule_read": "The schedule of event {schedule} was read.",
    "source_down": "Source {source} is gone ({reason}).",
    "standby_waits": "Another web process waits to take over (process {pid}).",
    "take": "The programme shows {source} now.",
    "task_failed": "A task failed and is started again.",
    "viewer_left": "A lowest-latency viewer has left ({reason}).",
    "web_cannot_start": "The web process cannot start: {error}.",
    "web_draining": "The web process finishes its requests and ends.",
    "web_started": "People come to {url} (web process {pid}).",
}
"""By event: what it means. A field that an event lacks is left out with its sentence."""
_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31;1m"}
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"
_QUIET = frozenset({"id", "logger", "level", "timestamp", "role", "room", "event"})
_ROLE_WIDTH = 7


class WordsRenderer:
    """structlog's last processor: one line, and below it the traceback that ``format_exc_info`` made."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def __call__(self, _logger: Any, _method: str, event: structlog.typing.EventDict) -> str:
        stack = event.pop("exception", None)
        level = str(event.get("level", "info"))
        said = sentence(event)
        if level in _COLOURS:
            said = self._in(_COLOURS[level], f"{'Warning' if level == 'warning' else 'Error'}: {said}")
        now = datetime.now().astimezone()
        role = plain(event.get("role", "room"))
        line = f"{self._in(_DIM, f'{now:%Y-%m-%d %H:%M:%S}  {role:{_ROLE_WIDTH}}')} {said}"
        return f"{line}\n{stack}" if stack else line

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colours else text


def sentence(event: Mapping[str, Any]) -> str:
    """The event in words, its room first; fields that the sentence does not have stand behind it."""
    name = str(event["event"])
    form = SENTENCES.get(name, "")
    fields = [field for _, field, _, _ in string.Formatter().parse(form) if field]
    if not form or not all(field in event for field in fields):
        form, fields = "", []
        said = plain(name)
        if name.isidentifier():
            said = f"{name.replace('_', ' ').capitalize()}."
    else:
        said = form.format(**{field: plain(event[field]) for field in fields})
        said = said[:-1] if said.endswith("..") else said
    more = [
        f"{key} {plain(value)}"
        for key, value in event.items()
        if key not in _QUIET and key not in fields and value not in ("", None) and not key.startswith("_")
    ]
    # Of a known event the sentence is enough, unless something went wrong.
    if more and (not form or event.get("level") in _COLOURS):
        said = f"{said} ({', '.join(more)})"
    room = event.get("room")
    return f"Room {plain(room)}: {said}" if room else said


def plain(value: Any) -> str:
    """A value on one line, without a character that moves a terminal's cursor."""
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    text = str(value)
    return text if text.isprintable() else repr(text)
