"""The long search for inputs that the media plane stumbles over; the short one is ``tests/unit/rtc/test_fuzz.py``."""

from __future__ import annotations

import pytest

from tests.fakes.changed_inputs import Target, search
from tests.fakes.fuzzing import TARGETS, search_answers

ROUNDS = 10_000


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name.replace(" ", "-"))
async def test_ten_thousand_inputs_are_read_or_refused_in_order(target: Target) -> None:
    search(target, ROUNDS)


async def test_five_thousand_changed_offers_are_answered_or_refused_in_order() -> None:
    assert await search_answers(5000) > 0
