"""Seeds of random searches: the same in each ``make test``, another each time in ``make soak``.

SOAK_SEED in the environment chooses one, to repeat what failed.
"""

from __future__ import annotations

import os
import random

SOAK = os.environ.get("SOAK") == "1"


def seed(fixed: int = 0) -> int:
    """``fixed``, or of the soak's own choice. It is printed."""
    if chosen := os.environ.get("SOAK_SEED"):
        fixed = int(chosen)
    elif SOAK:
        fixed = random.SystemRandom().randrange(2**32)
    print(f"SOAK_SEED={fixed}")
    return fixed


def dice(fixed: int = 0) -> random.Random:
    return random.Random(seed(fixed))


def examples(few: int) -> int:
    """The examples of a hypothesis: ``few`` in ``make test``, where they are always the same, twenty times as many in
    the soak."""
    return 20 * few if SOAK else few
