"""kill -9 at each step of a *forget* whose files lie in a bucket alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.erasable import prepare
from tests.fakes.killed_forgetting import PREFIX, Forgetting, lived
from tests.fakes.s3_store import BUCKET, running_s3_server


@pytest.mark.timeout(1800)
async def test_a_forget_that_dies_at_any_step_is_finished_by_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await prepare(tmp_path / "data")
    (tmp_path / "s3").mkdir()
    with running_s3_server(tmp_path / "s3") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("STREAMER_ARCHIVE__BUCKET", f"s3://{BUCKET}/{PREFIX}")
        forgetting = await Forgetting.prepared(made, server)
        whole, steps = await lived(forgetting, tmp_path / "whole", None)
        assert (whole.acknowledged, whole.left) == (True, [])
        assert 0 < len(whole.segments) < len(forgetting.before)
        finished_later = 0
        for number, step in enumerate(steps):
            ended, _ = await lived(forgetting, tmp_path / str(number), number)
            assert ended.left == [], f"killed {step}, number {number}"
            assert (ended.segments, ended.objects) == (whole.segments, whole.objects), f"killed {step}, number {number}"
            finished_later += not ended.acknowledged
        print(f"{len(steps)} steps, {finished_later} finished by the next process: {' '.join(steps)}")
        assert finished_later > 0
