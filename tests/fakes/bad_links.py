"""A camera whose link is late, lossy and interrupted, all at once."""

from __future__ import annotations

import random

from tests.fakes.simulated_room import Room, Script

LINKS: tuple[dict[str, object], ...] = (
    {"alive": False},
    *({"delay_s": seconds} for seconds in (0.06, 0.2, 0.4, 0.8)),
    *({"fps": fps} for fps in (30, 10, 5)),
    *({"answer_s": seconds} for seconds in (0.05, 0.3, 0.7)),
    *({"loss": share} for share in (0.0, 0.02, 0.1)),
)


def bad_link(dice: random.Random) -> Script:
    async def script(room: Room) -> None:
        camera = await room.come(jitter_s=dice.choice([0.008, 0.06, 0.15]))
        await room.pass_time(3)
        for _ in range(8):
            camera.change(**{"alive": True, **dice.choice(LINKS)})
            await room.pass_time(dice.choice([0.1, 0.2, 0.3, 0.5, 1.0]))
        camera.change(alive=True)
        await room.pass_time(2)

    return script
