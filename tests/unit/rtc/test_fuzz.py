"""Any input of strangers or publishers to the media plane gives only our errors, in bounded time.

A short search; ``tests/soak/test_fuzz_media.py`` is the same for longer.
"""

from __future__ import annotations

import pytest

from tests.fakes.changed_inputs import Target, search
from tests.fakes.fuzzing import TARGETS, search_answers

ROUNDS = 150


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name.replace(" ", "-"))
async def test_nearly_right_inputs_are_read_or_refused_in_order(target: Target) -> None:
    search(target, ROUNDS)


async def test_a_changed_offer_is_answered_or_refused_in_order() -> None:
    assert await search_answers(60) > 0
