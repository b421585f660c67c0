"""Which trouble explains which: the order of causes. Pure.

A machine in trouble explains a lost source, a lost source explains its silence, a black picture explains that it is
dark. What one trouble explains does not ring beside it.
"""

from __future__ import annotations

from streamer.conference.alarms import Alarm

LINK_MS = 10_000
"""A symptom begins at most this long before its cause is known to have begun; where only the coincidence links them
(black and silent: a capture card without signal), at most this long after it, too."""

SERVER = ("room_down", "room_out_of_memory", "disk_full", "disk_error", "disk_behind")
SOURCE = (
    "laptop_asleep",
    "tab_discarded",
    "page_closed",
    "on_air_without_media",
    "nothing_coming_in",
    "running_on_spare",
    "publication_duel",
)
UPLINK = ("upload_weak",)
DECODER = ("encoder_slow", "encoder_overload")
CAMERA = ("camera_power", "camera_permission_lost", "camera_unplugged")
PICTURE = ("picture_broken", "picture_black", "picture_flat", "picture_frozen", "frames_few")
DEVICE = ("permission_lost", "device_unplugged", "wrong_microphone", "lapel_muted")
SILENT = ("sound_dead", "sound_silent")
LEVEL = (
    "sound_dropouts",
    "sound_howl",
    "sound_clipping",
    "sound_loud",
    "sound_polarity",
    "sound_one_channel",
    "sound_hum",
    "sound_quiet",
)
LOOK = ("picture_dark", "picture_washed_out", "keyframes_rare")

_GROUPS = (SERVER, SOURCE, UPLINK, DECODER, CAMERA, PICTURE, DEVICE, SILENT, (*LEVEL, *LOOK))
RANKS = {code: rank for rank, codes in enumerate(_GROUPS) for code in codes}
"""Code -> its place in the order of causes, the gravest 0. Codes that are not here explain nothing, and nothing
explains them."""
_PLACES = {code: place for codes in _GROUPS for place, code in enumerate(codes)}
_WHOLE_WAY = frozenset({"room_down", "room_out_of_memory", *SOURCE, *UPLINK})
"""These explain everything that begins after them, for as long as they last."""
_PICTURE_CODES = frozenset({*CAMERA, *PICTURE, *LOOK})
_SOUND_CODES = frozenset({*DEVICE, *SILENT, *LEVEL})
_ALIKE = frozenset(
    {*SERVER[:2], *SOURCE[:-1], *DECODER, *CAMERA, *PICTURE, *SILENT, "sound_howl", "sound_clipping", "sound_loud"}
)
"""Of these the one that stands first in its group explains the others of the group."""


def source_of(alarm: Alarm) -> str:
    """The source that has the trouble; empty: the room, or its programme."""
    source = alarm.details.get("source")
    return source if isinstance(source, str) else ""


def waits(alarm: Alarm) -> bool:
    """Whether it may be the symptom of something that is noticed a moment later."""
    return RANKS.get(alarm.code, 0) > RANKS["on_air_without_media"]


def explains(cause: Alarm, symptom: Alarm, on_programme: str = "") -> bool:
    """Whether ``symptom`` needs no ring of its own while ``cause`` lasts. ``on_programme``: the source that the
    programme shows; its troubles are the programme's."""
    above, below = RANKS.get(cause.code), RANKS.get(symptom.code)
    if above is None or below is None or above > below:
        return False
    if cause.code in _SOUND_CODES and symptom.code in _PICTURE_CODES:
        return False
    here, there = source_of(cause), source_of(symptom)
    if cause.code == symptom.code:
        return bool(here) and not there and here == on_programme
    whole_room = above == RANKS["room_down"] or (above == RANKS["on_air_without_media"] and not (here and there))
    if not whole_room and (here or on_programme) != (there or on_programme):
        return False
    if above == below and not _alike(cause, symptom):
        return False
    if above == below and cause.code not in SOURCE:
        return True
    earliest_ms, latest_ms = cause.since_ms - LINK_MS, cause.since_ms + LINK_MS
    return symptom.since_ms >= earliest_ms and (_lasts(cause, symptom) or symptom.since_ms <= latest_ms)


def _alike(cause: Alarm, symptom: Alarm) -> bool:
    alike = cause.code in _ALIKE and symptom.code in _ALIKE
    return alike and _PLACES[cause.code] < _PLACES[symptom.code]


def _lasts(cause: Alarm, symptom: Alarm) -> bool:
    """Whether the one explains the other however much later it begins."""
    if RANKS[cause.code] == RANKS[symptom.code]:
        return False
    if cause.code in _WHOLE_WAY:
        return True
    if cause.code in DECODER or cause.code in _PICTURE_CODES:
        return symptom.code in _PICTURE_CODES
    return cause.code in _SOUND_CODES and symptom.code in _SOUND_CODES
