"""A search for inputs that break a reader: valid ones, and the same with a few changes. Deterministic."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LIMIT_S = 0.1
"""Processor time for one input: a longer block of the loop is a find, too."""
NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One to four changes to a seed."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randrange(1, 5)):
        at, size = rng.randrange(len(data) + 1), rng.choice((1, 1, 2, 4, 8, 30))
        kind = rng.randrange(8)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at : at + size]
        elif kind == 2:
            data[at:at] = rng.randbytes(size)
        elif kind == 3:
            data[at:at] = data[at : at + size] * rng.choice((1, 2, 50))
        elif kind == 4:
            number = rng.choice(NUMBERS)
            width = rng.choice((1, 2, 4))
            data[at : at + width] = (number & (1 << 8 * width) - 1).to_bytes(width, "big")
        elif kind == 5:
            other = rng.choice(seeds)
            data[at : at + size] = other[rng.randrange(len(other) + 1) :][: 8 * size]
        elif kind == 6:
            del data[at:]
        else:
            lines = bytes(data).split(b"\n")
            rng.shuffle(lines) if rng.random() < 0.2 else lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            data = bytearray(b"\n".join(lines))
    return bytes(data[: 128 * 1024])


@dataclass(frozen=True)
class Target:
    name: str
    seeds: tuple[bytes, ...]
    make: Callable[[], Callable[[bytes], None]]
    """Called on a loop: returns the function that gets the inputs, one after the other."""


def search(target: Target, rounds: int, seed: int = 0) -> None:
    """The seeds as they are, and ``rounds`` changed ones. Raises AssertionError with the input that was a find."""
    rng = random.Random(f"{target.name} {seed}")
    take = target.make()
    # The first input comes twice, and its first time is not taken: what is loaded or compiled then is not its own.
    for index in (-1, *range(len(target.seeds) + rounds)):
        data = target.seeds[max(0, index)] if index < len(target.seeds) else mutated(rng, target.seeds)
        began = time.thread_time()
        try:
            take(data)
        except Exception as error:
            raise AssertionError(f"{target.name}: {error!r} for {data.hex()}") from error
        took = time.thread_time() - began
        assert took < LIMIT_S or index < 0, f"{target.name}: {took:.3f} s for {data[:4000].hex()}"
