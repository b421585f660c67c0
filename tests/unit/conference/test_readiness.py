"""Whether a room is ready: each line yes, no, not yet, or unknown."""

from __future__ import annotations

from dataclasses import replace

from streamer.conference.readiness import Heard, RehearsalFacts, readiness
from streamer.conference.sessions import Flag
from tests.fakes.days import at, talk

TALK = talk("a", "10:00", "11:00")
NOW = at("9:55")
SEEN = {"framing": (at("9:53"), "Anna"), "focus": (at("9:54"), "Anna")}
HEARD = Heard(level_ms=at("9:52"), loudness=-20.0, voice_ms=at("9:52"), moved_ms=NOW, seen=SEEN)
GOOD = RehearsalFacts(True, HEARD, disk_left_s=5400, captions=("fr",), captioned_ms=at("9:50"))
GOOD = replace(GOOD, sent_kbps=2500, available_kbps=4000)


def states(facts: RehearsalFacts, session: object = TALK) -> dict[str, str]:
    found = readiness(session, facts, NOW)  # type: ignore[arg-type]
    return {line.name: line.state for line in found.lines}


def test_everything_is_there() -> None:
    found = readiness(TALK, GOOD, NOW)
    assert (found.state, found.wrong) == ("ready", ())
    assert {line.state for line in found.lines} == {"yes"}
    level = next(line for line in found.lines if line.name == "level")
    assert level.at_ms == at("9:52"), "heard 9:52 stays"
    assert [line.by for line in found.lines if line.name == "focus"] == ["Anna"]


def test_nothing_has_come_in_yet() -> None:
    found = states(RehearsalFacts(False, Heard()))
    not_yet = {name for name, state in found.items() if state == "not_yet"}
    assert not_yet == {"level", "voice", "picture", "key", "framing", "focus"}
    assert readiness(TALK, RehearsalFacts(False, Heard()), NOW).state == "not_yet"


def test_what_is_wrong_is_no() -> None:
    loud = replace(GOOD, heard=replace(HEARD, loudness=-8.0))
    assert readiness(TALK, loud, NOW).wrong == ("level",)
    assert readiness(TALK, replace(GOOD, wrong_key=True), NOW).wrong == ("key",)
    assert readiness(TALK, replace(GOOD, disk_left_s=5399), NOW).wrong == ("disk",), "the session and half more"
    assert readiness(TALK, replace(GOOD, available_kbps=2600), NOW).wrong == ("upload",)
    assert readiness(TALK, loud, NOW).state == "not_ready"


def test_what_nobody_can_tell_makes_no_room_unready() -> None:
    unknown = replace(GOOD, disk_left_s=None, available_kbps=None)
    found = states(unknown)
    assert (found["disk"], found["upload"]) == ("unknown", "unknown")
    assert readiness(TALK, unknown, NOW).state == "ready"
    assert states(GOOD, None)["flags"] == "unknown"


def test_flags_wait_for_an_answer_and_captions_for_a_captioner() -> None:
    asked = replace(TALK, do_not_record=Flag.ASK)
    assert states(GOOD, asked)["flags"] == "not_yet"
    assert states(GOOD, replace(asked, record_answer=True))["flags"] == "yes"
    assert states(replace(GOOD, captioned_ms=at("9:44")))["captioner"] == "not_yet"
    assert "captioner" not in states(replace(GOOD, captions=()))
