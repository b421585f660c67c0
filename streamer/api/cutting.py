"""``/api/v1/recordings/{id}/waveform``: the sound of a recording, and the silences that may be left out."""

from __future__ import annotations

from base64 import b64encode

from streamer.api.models import LazyModel
from streamer.api.recordings import entry_of
from streamer.api.routing import Call, Route
from streamer.api.sessions import target_of
from streamer.archive.waveforms import NoWaveform, waveform_of
from streamer.conference.grants import Action
from streamer.errors import NotFound, TooMany
from streamer.formats.waveform import BIN_MS
from streamer.store.recordings import RecordingState


class WaveformView(LazyModel):
    from_ms: int
    """The media time of the first bin."""
    bin_ms: int
    peaks: str
    """Base64: a byte a bin. 255 is full scale, each step less a quarter of a dB, 1 silence; 0: nothing is recorded, or
    it is not measured yet."""
    complete: bool
    """Ask again until it is: each answer has some minutes more."""
    silences: list[tuple[int, int]]
    """Long silent stretches, media times; when it is complete."""
    key_frames_ms: list[int]
    """Media times. A cut that begins elsewhere shows the next one, still, until its time."""


async def waveform(call: Call) -> WaveformView:
    """The sound of the whole material, for the crew. Sound is measured when somebody first asks."""
    entry, recording = await entry_of(call)
    grant = call.require(target_of(call.services, entry.session))
    archivist = call.services.archivist
    if recording.state is not RecordingState.READY or entry.current is None:
        raise _no_waveform()
    if not archivist.waveforms.take(grant.id):
        raise TooMany("Too much is being decoded.", code="too_many_stills", headers={"Retry-After": "1"})
    try:
        made = await waveform_of(archivist, entry.session.id, recording.room)
    except NoWaveform:
        raise _no_waveform() from None
    finally:
        archivist.waveforms.give_back(grant.id)
    return WaveformView(
        from_ms=made.from_ms,
        bin_ms=BIN_MS,
        peaks=b64encode(made.peaks).decode("ascii"),
        complete=made.complete,
        silences=[(span.from_ms, span.to_ms) for span in made.silences],
        key_frames_ms=list(made.key_frames_ms),
    )


def _no_waveform() -> NotFound:
    return NotFound("There is no sound to show.", code="no_waveform")


ROUTES = (
    Route(
        "GET",
        "/recordings/{id}/waveform",
        waveform,
        "The sound of the whole material as a waveform, with the silences that may be left out",
        "recordings",
        action=Action.RECORDING_READ,
        answers=(WaveformView,),
    ),
)
