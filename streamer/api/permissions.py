"""The right that each address needs. The rights test compares every registered route with this table.

An address that is not listed here fails that test, so nothing is open by oversight. ``conference/grants.py`` has the
rights of a role; the route tables have the action of each address, and this table has it once more, as an overview and
a second opinion.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from streamer.conference.grants import Action


class Open(StrEnum):
    """The kinds of addresses that need no action."""

    EVERYBODY = "everybody"
    """Public contents, and the shells of pages, which hold public contents only: the API gives the others."""
    HOLDER = "holder"
    """The holder of any grant."""
    PARTICIPANT = "participant"
    """A participant with a cookie or token, for their own data."""
    CAPABILITY = "capability"
    """The address itself is the secret: a WebRTC resource, or a closed session's output and replay by a key. The rights
    of the key's holder are checked at each request."""
    MONITORING = "monitoring"
    """Loopback, the settings' networks and token, admins and organisers of everything: ``api/monitoring.py``."""


Rule = Action | Open

_API: Mapping[str, Rule] = {
    "GET /openapi.json": Open.EVERYBODY,
    "GET /asyncapi.json": Open.EVERYBODY,
    "GET /docs": Open.EVERYBODY,
    "GET /version": Open.EVERYBODY,
    "POST /login": Open.EVERYBODY,
    "POST /logout": Open.EVERYBODY,
    # The secret in the body is the right: it stands in a file of a server without an admin.
    "POST /first-admin": Open.EVERYBODY,
    "POST /first-admin/look": Open.EVERYBODY,
    "GET /me": Open.HOLDER,
    "PUT /password": Action.PASSWORD_CHANGE,
    "GET /audit": Action.AUDIT_READ,
    "GET /count": Action.AUDIT_READ,
    "POST /logos": Action.EVENT_CHANGE,
    "POST /covers": Action.EVENT_CHANGE,
    # Arithmetic.
    "GET /theme": Open.EVERYBODY,
    "GET /venues": Open.EVERYBODY,
    "POST /venues": Action.VENUE_CREATE,
    "GET /venues/{id}": Open.EVERYBODY,
    "PATCH /venues/{id}": Action.VENUE_CHANGE,
    "DELETE /venues/{id}": Action.VENUE_DELETE,
    "POST /venues/{id}/hold": Action.ROOM_HOLD,
    "POST /venues/{id}/resume": Action.ROOM_HOLD,
    "GET /rooms": Open.EVERYBODY,
    "POST /rooms": Action.ROOM_CREATE,
    "GET /rooms/{id}": Open.EVERYBODY,
    # Counted, and kept for half a minute.
    "POST /rooms/{id}/playback": Open.EVERYBODY,
    "PATCH /rooms/{id}": Action.ROOM_CHANGE,
    "DELETE /rooms/{id}": Action.ROOM_DELETE,
    "POST /rooms/{id}/hold": Action.ROOM_HOLD,
    "POST /rooms/{id}/resume": Action.ROOM_HOLD,
    "POST /rooms/{id}/ad_hoc": Action.SESSION_RUN,
    "POST /rooms/{id}/air": Action.ROOM_AIR,
    "PATCH /rooms/{id}/sources/{name}": Action.ROOM_AIR,
    "GET /rooms/{id}/readiness": Action.ROOM_CREW,
    "POST /rooms/{id}/sources/{name}/leaving": Action.PUBLISH,
    "POST /rooms/{id}/readiness": Action.ROOM_AIR,
    "POST /rooms/{id}/forget": Action.MEDIA_FORGET,
    "GET /rooms/{id}/picture.jpg": Action.PREVIEW,
    "GET /rooms/{id}/captions": Action.CAPTION_WRITE,
    "POST /rooms/{id}/captions": Action.CAPTION_WRITE,
    "GET /rooms/{id}/hall-codes": Action.STAGE_READ,
    "POST /rooms/{id}/hall-codes": Action.ROOM_CODES,
    "DELETE /rooms/{id}/hall-codes/{code}": Action.ROOM_CODES,
    "GET /events": Open.EVERYBODY,
    "POST /events": Action.EVENT_CREATE,
    "GET /events/{id}": Open.EVERYBODY,
    "PATCH /events/{id}": Action.EVENT_CHANGE,
    "DELETE /events/{id}": Action.EVENT_DELETE,
    "POST /events/{id}/hold": Action.ROOM_HOLD,
    "POST /events/{id}/resume": Action.ROOM_HOLD,
    # Lists leave out closed sessions, and by id they are 404, for callers who may not know of them.
    "GET /sessions": Open.EVERYBODY,
    "POST /sessions": Action.SESSION_CREATE,
    "POST /sessions/{id}/repeat": Action.SESSION_CREATE,
    "GET /templates": Action.SESSION_CREATE,
    "POST /templates": Action.VENUE_CHANGE,
    "GET /templates/{id}": Action.VENUE_CHANGE,
    "PATCH /templates/{id}": Action.VENUE_CHANGE,
    "DELETE /templates/{id}": Action.VENUE_CHANGE,
    "GET /sessions/{id}": Open.EVERYBODY,
    "GET /sessions/{id}/portraits/{name}": Open.EVERYBODY,
    "POST /portraits": Action.SESSION_CHANGE,
    "PATCH /sessions/{id}": Action.SESSION_CHANGE,
    "DELETE /sessions/{id}": Action.SESSION_DELETE,
    "POST /sessions/{id}/start": Action.SESSION_RUN,
    "POST /sessions/{id}/end": Action.SESSION_RUN,
    "POST /sessions/{id}/extend": Action.SESSION_RUN,
    "POST /sessions/{id}/delay": Action.SESSION_DELAY,
    "POST /sessions/{id}/cancel": Action.SESSION_CANCEL,
    "POST /sessions/{id}/reopen": Action.SESSION_RUN,
    "POST /sessions/{id}/answer": Action.SESSION_ANSWER,
    # Everybody sees the public ones; moderators see all. Participants get their own data by their cookie.
    "GET /questions": Open.EVERYBODY,
    "GET /questions/{id}": Open.EVERYBODY,
    "GET /polls": Open.EVERYBODY,
    "GET /polls/{id}": Open.EVERYBODY,
    "GET /sessions/{id}/timeline": Open.EVERYBODY,
    "GET /sessions/{id}/audience": Action.AUDIT_READ,
    "GET /me/data": Open.PARTICIPANT,
    "DELETE /me/data": Open.PARTICIPANT,
    "GET /replays": Open.EVERYBODY,
    "GET /recordings": Open.EVERYBODY,
    "GET /recordings/{id}": Open.EVERYBODY,
    "PATCH /recordings/{id}": Action.RECORDING_CHANGE,
    "DELETE /recordings/{id}": Action.RECORDING_DELETE,
    "GET /recordings/{id}/still.jpg": Action.RECORDING_READ,
    "GET /recordings/{id}/waveform": Action.RECORDING_READ,
    "GET /recordings/{id}/approval": Action.RECORDING_APPROVE,
    "POST /recordings/{id}/approval": Action.RECORDING_PUBLISH,
    "DELETE /recordings/{id}/approval": Action.RECORDING_PUBLISH,
    "POST /recordings/{id}/approval/answer": Action.RECORDING_APPROVE,
    "GET /retention": Action.RECORDING_READ,
    "POST /retention": Action.RECORDING_DELETE,
    # And the right of the action that is undone.
    "POST /actions/{id}/undo": Action.ROOM_CREW,
    "GET /actions": Action.ROOM_CREW,
    "GET /alarms": Action.ROOM_CREW,
    "POST /alarms/{id}/acknowledge": Action.ALARM_ACKNOWLEDGE,
    "POST /alarms/{id}/snooze": Action.ALARM_ACKNOWLEDGE,
    "POST /alarms/{id}/normal": Action.ALARM_ACKNOWLEDGE,
    "DELETE /alarms/{id}/normal": Action.ALARM_ACKNOWLEDGE,
    # One's own. Another's are 404.
    "GET /hooks": Action.ALARM_REACH,
    "POST /hooks": Action.ALARM_REACH,
    "GET /hooks/{id}": Action.ALARM_REACH,
    "PATCH /hooks/{id}": Action.ALARM_REACH,
    "DELETE /hooks/{id}": Action.ALARM_REACH,
    "POST /hooks/{id}/test": Action.ALARM_REACH,
    "GET /hooks/{id}/messages": Action.ALARM_REACH,
    "GET /push-key": Action.ALARM_REACH,
    # Others' with ``duty.assign``.
    "GET /duty": Action.ALARM_REACH,
    "POST /duty": Action.ALARM_REACH,
    "GET /duty/{id}": Action.ALARM_REACH,
    "PATCH /duty/{id}": Action.ALARM_REACH,
    "DELETE /duty/{id}": Action.ALARM_REACH,
    "POST /duty/{id}/handover": Action.ALARM_REACH,
    "POST /duty/{id}/accept": Action.ALARM_REACH,
    "POST /imports": Action.SCHEDULE_IMPORT,
    "POST /imports/{id}/apply": Action.SCHEDULE_IMPORT,
    "GET /schedule-sources": Action.SCHEDULE_IMPORT,
    "POST /schedule-sources/{id}/poll": Action.SCHEDULE_IMPORT,
    "POST /schedule-sources/{id}/confirm": Action.SCHEDULE_IMPORT,
    "GET /grants": Action.GRANT_READ,
    "POST /grants": Action.GRANT_CREATE,
    "GET /grants/{id}": Action.GRANT_READ,
    "PATCH /grants/{id}": Action.GRANT_CREATE,
    "DELETE /grants/{id}": Action.GRANT_REVOKE,
}

_REST: Mapping[str, Rule] = {
    f"{method} /api/v1{path}": rule for (method, _, path), rule in ((key.partition(" "), _API[key]) for key in _API)
}

_PAGES: Mapping[str, Rule] = {
    "GET /": Open.EVERYBODY,
    "GET /watch/{room}": Open.EVERYBODY,
    "GET /watch/{room}/qr.svg": Open.EVERYBODY,
    "GET /embed/{room}": Open.EVERYBODY,
    "GET /studio": Open.EVERYBODY,
    "GET /studio/{room}": Open.EVERYBODY,
    "GET /session/{session}": Open.EVERYBODY,
    # The shell is the same for every key.
    "GET /session/{session}/{key}": Open.EVERYBODY,
    "GET /admin": Open.EVERYBODY,
    "GET /admin/{tail}": Open.EVERYBODY,
    "GET /approve/{session}": Open.EVERYBODY,
    "GET /archive": Open.EVERYBODY,
    "GET /join": Open.EVERYBODY,
    # Without such a code it is a page to type another.
    "GET /join/{code}": Open.EVERYBODY,
    "GET /join/{code}/qr.{kind}": Open.CAPABILITY,
    "GET /join/{code}/poster": Open.CAPABILITY,
    # Of a message: for one person and one alarm, and as long as their grant lasts.
    "GET /alarm/{key}": Open.CAPABILITY,
    "POST /alarm/{key}": Open.CAPABILITY,
    "GET /alarm/{key}/{look}": Open.CAPABILITY,
    "POST /alarm/{key}/{look}": Open.CAPABILITY,
    "GET /alarm/{key}/still.jpg": Open.CAPABILITY,
    "GET /alarm/{key}/clip.mp4": Open.CAPABILITY,
    "GET /moderate/{room}": Open.EVERYBODY,
    "GET /stage/{room}": Open.EVERYBODY,
    "GET /caption/{room}": Open.EVERYBODY,
    "GET /moderate": Open.EVERYBODY,
    "GET /.well-known/security.txt": Open.EVERYBODY,
    "GET /assets/{path}": Open.EVERYBODY,
    "GET /{path}": Open.EVERYBODY,
    "GET /livez": Open.EVERYBODY,
    "GET /readyz": Open.EVERYBODY,
    "GET /metrics": Open.MONITORING,
    "GET /logos/{name}": Open.EVERYBODY,
    "GET /covers/{name}": Open.EVERYBODY,
    # Each namespace and command checks its own right: ``realtime/rights.py``, ``realtime/service.py``.
    "GET /socket.io/": Open.EVERYBODY,
    "POST /socket.io/": Open.EVERYBODY,
    "GET /schedule.xml": Open.EVERYBODY,
    "GET /schedule.json": Open.EVERYBODY,
    "GET /schedule.ics": Open.EVERYBODY,
    "GET /streams/v2.json": Open.EVERYBODY,
    # Of public content only, whoever asks.
    "GET /oembed": Open.EVERYBODY,
}

_MEDIA: Mapping[str, Rule] = {
    "POST /whip/{room}": Action.PUBLISH,
    "POST /whip/{room}/{source}": Action.PUBLISH,
    "PATCH /whip/{room}/{source}/{secret}": Open.CAPABILITY,
    "DELETE /whip/{room}/{source}/{secret}": Open.CAPABILITY,
    "POST /whep/{room}": Open.EVERYBODY,
    "POST /whep/{room}/{source}": Action.PREVIEW,
    "PATCH /whep/{room}/{source}/{secret}": Open.CAPABILITY,
    "DELETE /whep/{room}/{source}/{secret}": Open.CAPABILITY,
    "GET /live/steering.json": Open.EVERYBODY,
    "GET /live/{room}/index.m3u8": Open.EVERYBODY,
    "GET /live/{room}/still.jpg": Open.EVERYBODY,
    "GET /live/{room}/{broadcast}/{rendition}.m3u8": Open.EVERYBODY,
    "GET /live/{room}/{broadcast}/{key}/{rendition}/{name}": Open.EVERYBODY,
    "GET /live/{tail}": Open.EVERYBODY,
    "GET /live/{room}/~{secret}/index.m3u8": Open.CAPABILITY,
    "GET /live/{room}/~{secret}/still.jpg": Open.CAPABILITY,
    "GET /live/{room}/~{secret}/{broadcast}/{rendition}.m3u8": Open.CAPABILITY,
    "GET /live/{room}/~{secret}/{broadcast}/{key}/{rendition}/{name}": Open.CAPABILITY,
    "GET /live/{room}/~{tail}": Open.CAPABILITY,
    # Published replays of public sessions are open; the others need a key.
    "GET /replay/{session}/index.m3u8": Open.EVERYBODY,
    "GET /replay/{session}/still.jpg": Open.EVERYBODY,
    "GET /replay/{session}/sheet.jpg": Open.EVERYBODY,
    "GET /replay/{session}/{edition}/index.m3u8": Open.EVERYBODY,
    "GET /replay/{session}/{edition}/download.mp4": Open.EVERYBODY,
    "GET /replay/{session}/{edition}/{rendition}.m3u8": Open.EVERYBODY,
    "GET /replay/{session}/{edition}/{rendition}/{name}": Open.EVERYBODY,
    "GET /replay/{session}/~{secret}/index.m3u8": Open.CAPABILITY,
    "GET /replay/{session}/~{secret}/still.jpg": Open.CAPABILITY,
    "GET /replay/{session}/~{secret}/sheet.jpg": Open.CAPABILITY,
    "GET /replay/{session}/~{secret}/{edition}/index.m3u8": Open.CAPABILITY,
    "GET /replay/{session}/~{secret}/{edition}/download.mp4": Open.CAPABILITY,
    "GET /replay/{session}/~{secret}/{edition}/{rendition}.m3u8": Open.CAPABILITY,
    "GET /replay/{session}/~{secret}/{edition}/{rendition}/{name}": Open.CAPABILITY,
    "GET /replay/{tail}": Open.EVERYBODY,
}

RULES: Mapping[str, Rule] = {**_REST, **_PAGES, **_MEDIA}
"""``METHOD template`` -> the right that it needs. HEAD follows GET; OPTIONS tells only the methods."""
