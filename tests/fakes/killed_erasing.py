"""Web processes that are killed while they erase, one after the other."""

from __future__ import annotations

import multiprocessing
import random
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fakes.erasable import KINDS, Erasable, Kind, life, serving

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["tests.fakes.erasable"])
LIMIT_S = 60.0
LONGER = 1.2
"""Kills come up to this many times as late as an undisturbed erasure took."""


@dataclass
class Tally:
    """The results of the erasures."""

    acknowledged: int = 0
    finished_later: int = 0
    """Killed before they were acknowledged, and gone after the next start."""
    never_begun: int = 0
    """Killed before anything was recorded: all data is there."""
    broken: list[str] = field(default_factory=list)
    """Acknowledged and not gone, or half gone."""


async def kill_while_erasing(prepared: Erasable, folder: Path, rounds: int, chance: random.Random) -> Tally:
    """``rounds`` times an erasure of any kind, a kill -9 at a random moment of it, a start, and a look."""
    tally, took_s = Tally(), dict.fromkeys(KINDS, 0.2)
    for number in range(rounds):
        kind = KINDS[number % len(KINDS)]
        made = prepared.copied(folder / str(number))
        before = sorted(made.left(kind))
        delay_s = chance.uniform(0, took_s[kind] * LONGER)
        done, seconds = _one_life(made, kind, delay_s)
        if done:
            took_s[kind] = min(took_s[kind], seconds)
        if done and (left := made.left(kind)):
            tally.broken.append(f"{kind} after {delay_s:.3f} s, acknowledged: {left}")
        async with serving(made) as web:
            assert web.services.erasing.unfinished() == []
        left = sorted(made.left(kind))
        if left and left != before and not done:
            # The end of this life came in the middle of what it erased: the next start goes on.
            async with serving(made):
                pass
            left = sorted(made.left(kind))
        if not left:
            tally.acknowledged += done
            tally.finished_later += not done
        elif done or left != before:
            tally.broken.append(f"{kind} after {delay_s:.3f} s, started again: {left}")
        else:
            tally.never_begun += 1
    return tally


def _one_life(made: Erasable, kind: Kind, delay_s: float) -> tuple[bool, float]:
    """Whether it was acknowledged before the kill, and how long that took."""
    ours, theirs = CHILDREN.Pipe(duplex=False)
    child = CHILDREN.Process(target=life, args=(made, kind, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        assert _heard(ours, LIMIT_S) == "began"
        began = time.monotonic()
        done = _heard(ours, delay_s) == "done"
        return done, time.monotonic() - began
    finally:
        child.kill()
        child.join()
        ours.close()


def _heard(told: Connection, limit_s: float) -> str:
    return str(told.recv()) if told.poll(limit_s) else ""
