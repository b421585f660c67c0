"""One trouble rings once: causes and symptoms, coming back, silenced, normal."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest

from streamer.conference.alarm_causes import RANKS, explains, waits
from streamer.conference.alarm_memory import LINGER_MS, WAIT_MS, AlarmMemory, looked, normal, not_normal, snoozed
from streamer.conference.alarms import Alarm, Level, alarm_id
from streamer.conference.notices import KEEP_MS
from streamer.director.stored_alarms import restored, stored

NINE = 1_792_400_400_000
S = 1000


def wrong(code: str, since_ms: int = NINE, source: str = "main", level: Level = "alarm") -> Alarm:
    details = {"source": source} if source else {}
    return Alarm(alarm_id(code, "hall", source), code, level, since_ms, "technician", "talk", details)


@dataclass
class Wall:
    """Somebody who looks twice a second. ``rings``: what has begun to ring, one after the other."""

    memory: AlarmMemory = field(default_factory=AlarmMemory)
    now_ms: int = NINE
    rings: list[str] = field(default_factory=list)
    session: str | None = "talk"

    def see(self, *found: Alarm, for_s: float = 0.5, unknown: frozenset[str] = frozenset()) -> list[str]:
        """The codes that are told at the end."""
        for _ in range(max(1, round(for_s * 2))):
            before = {one.id for one in self.memory.told if one.severity == "ringing"}
            self.memory = looked(
                self.memory, found, self.now_ms, session=self.session, on_programme="main", unknown=unknown
            )
            self.rings += [one.code for one in self.memory.told if one.severity == "ringing" and one.id not in before]
            self.now_ms += 500
        return [one.code for one in self.memory.told]


def test_a_symptom_waits_for_its_cause_and_never_rings() -> None:
    wall = Wall()
    assert wall.see(wrong("sound_silent")) == []
    assert wall.see(wrong("sound_silent"), wrong("picture_black"), for_s=30) == ["picture_black"]
    assert wall.rings == ["picture_black"]
    # Clearing takes longer for one than for the other.
    assert wall.see(wrong("sound_silent"), for_s=45) == []
    assert wall.see(for_s=5) == []
    assert wall.rings == ["picture_black"]


def test_a_cause_that_emerges_takes_over_what_rings_already() -> None:
    wall = Wall()
    assert wall.see(wrong("sound_dead"), for_s=2) == ["sound_dead"]
    (rang,) = wall.memory.told
    gone = wrong("on_air_without_media", NINE + S, source="")
    assert wall.see(wrong("sound_dead"), gone, for_s=10) == ["on_air_without_media"]
    assert [one.id for one in wall.memory.told] == [rang.id], "who has taken it on still has it"
    assert wall.rings == ["sound_dead"]


def test_an_old_trouble_hides_no_new_one() -> None:
    wall = Wall()
    wall.see(wrong("sound_silent"), for_s=300)
    gone = wrong("on_air_without_media", NINE + 300 * S, source="")
    assert wall.see(wrong("sound_silent"), gone, for_s=5) == ["on_air_without_media", "sound_silent"]
    assert wall.rings == ["sound_silent", "on_air_without_media"]


def test_black_for_minutes_and_then_silence_are_two_troubles() -> None:
    wall = Wall()
    wall.see(wrong("picture_black"), for_s=120)
    wall.see(wrong("picture_black"), wrong("sound_silent", NINE + 120 * S), for_s=5)
    assert wall.rings == ["picture_black", "sound_silent"]


def test_what_a_source_has_the_programme_has_too() -> None:
    wall = Wall()
    both = wrong("sound_silent"), wrong("sound_silent", source="")
    assert wall.see(*both, for_s=5) == ["sound_silent"]
    assert [one.details for one in wall.memory.told] == [{"source": "main"}]
    other = Wall()
    other.see(wrong("picture_black", source="second"), wrong("sound_silent", source=""), for_s=5)
    assert sorted(other.rings) == ["picture_black", "sound_silent"], "the second camera is not on the programme"


@pytest.mark.parametrize(
    ("cause", "symptom"),
    [
        ("room_down", "on_air_without_media"),
        ("on_air_without_media", "upload_weak"),
        ("laptop_asleep", "on_air_without_media"),
        ("upload_weak", "encoder_slow"),
        ("upload_weak", "picture_frozen"),
        ("encoder_slow", "picture_frozen"),
        ("encoder_slow", "encoder_overload"),
        ("camera_power", "picture_black"),
        ("picture_black", "device_unplugged"),
        ("device_unplugged", "sound_silent"),
        ("lapel_muted", "sound_quiet"),
        ("sound_silent", "sound_quiet"),
        ("sound_clipping", "sound_loud"),
        ("picture_black", "picture_dark"),
    ],
)
def test_the_order_of_causes(cause: str, symptom: str) -> None:
    assert explains(wrong(cause), wrong(symptom), "main")
    assert not explains(wrong(symptom), wrong(cause), "main")


def test_a_weak_upload_has_no_cause_to_wait_for_and_its_figures_are_no_news() -> None:
    wall = Wall()
    assert wall.see(replace(wrong("upload_weak"), details={"lost": 0.1})) == ["upload_weak"]
    wall.see(replace(wrong("upload_weak"), details={"lost": 0.2}))
    assert wall.memory.told[0].details == {"lost": 0.1}
    assert wall.see(wrong("laptop_asleep"), wrong("upload_weak")) == ["laptop_asleep"]
    assert wall.rings == ["upload_weak"]


def test_sound_that_has_been_dead_for_long_waits_for_nothing() -> None:
    wall = Wall()
    assert wall.see(wrong("sound_dead", NINE - 3 * S)) == []
    assert wall.see(wrong("sound_dead", NINE - 3 * S)) == []
    assert wall.see(wrong("sound_dead", NINE - 3 * S)) == ["sound_dead"]
    assert Wall().see(wrong("sound_dead", NINE - 5 * S)) == ["sound_dead"]


def test_a_laptop_that_sleeps_explains_that_nothing_comes_in() -> None:
    gone = wrong("on_air_without_media", NINE + S, source="")
    assert explains(wrong("laptop_asleep"), gone, "slate")
    later = wrong("on_air_without_media", NINE + 60 * S, source="")
    assert not explains(wrong("laptop_asleep"), later, "slate"), "the spare has gone, too"


def test_a_full_disk_explains_no_silence_of_later() -> None:
    assert not explains(wrong("disk_full", source=""), wrong("sound_silent", NINE + 60 * S), "main")
    assert explains(wrong("upload_weak"), wrong("picture_frozen", NINE + 3600 * S), "main")


def test_what_comes_back_is_the_same_and_the_third_time_it_is_intermittent() -> None:
    wall = Wall()
    ids, times = set(), []
    for _ in range(3):
        wall.see(wrong("sound_silent", wall.now_ms), for_s=20)
        ids |= {one.id for one in wall.memory.told}
        times += [one.times for one in wall.memory.told]
        wall.see(for_s=9 * 60)
    assert (len(ids), times) == (1, [1, 2, 3])
    wall.see(for_s=70)
    assert wall.memory.remembered == frozenset()
    wall.see(wrong("sound_silent", wall.now_ms), for_s=20)
    assert [one.times for one in wall.memory.told] == [1]


def test_what_was_taken_on_does_not_hide_that_the_laptop_has_died_minutes_later() -> None:
    wall = Wall()
    wall.see(wrong("sound_dead"), for_s=10)
    taken = wall.memory.told[0].id
    wall.see(for_s=60)
    began = wall.now_ms
    wall.see(wrong("sound_dead", began))
    wall.see(wrong("sound_dead", began), wrong("on_air_without_media", began, source=""), for_s=5)
    assert [one.code for one in wall.memory.told] == ["on_air_without_media"]
    assert wall.memory.told[0].id != taken


def test_silenced_it_is_a_warning_until_the_time_is_over() -> None:
    wall = Wall()
    wall.see(wrong("sound_loud"), for_s=3)
    (alarm,) = wall.memory.told
    wall.memory = snoozed(wall.memory, alarm.id, wall.now_ms + 60 * S)
    assert [one.severity for one in wall.memory.told] == ["warning"]
    wall.see(wrong("sound_loud"), for_s=59)
    assert wall.rings == ["sound_loud"]
    wall.see(for_s=5)
    wall.see(wrong("sound_loud", wall.now_ms), for_s=3)
    assert wall.rings == ["sound_loud", "sound_loud"]
    assert wall.memory.told[0].snoozed_until_ms is None


def test_normal_holds_for_the_session_and_hides_nothing_else() -> None:
    wall = Wall()
    wall.see(wrong("sound_silent"), for_s=20)
    wall.memory = normal(wall.memory, wall.memory.told[0].id, "talk")
    assert wall.see(wrong("sound_silent"), for_s=20) == []
    assert wall.see(wrong("sound_silent"), wrong("picture_black", wall.now_ms), for_s=3) == ["picture_black"]
    wall.memory = not_normal(wall.memory, wall.memory.normals[0].alarm)
    assert "sound_silent" in wall.see(wrong("sound_silent"), for_s=3)
    wall.memory = normal(wall.memory, next(one.id for one in wall.memory.told if one.code == "sound_silent"), "talk")
    wall.session = "next"
    assert wall.see(wrong("sound_silent", wall.now_ms), for_s=3) == ["sound_silent"]


def test_while_the_rooms_process_is_away_its_alarms_stay_as_they_were() -> None:
    wall = Wall()
    wall.see(wrong("sound_silent"), for_s=20)
    before = wall.memory.told
    wall.memory = restored(stored(wall.memory))
    wall.see(for_s=5, unknown=frozenset({"sound_silent"}))
    assert wall.memory.told == before
    wall.see(wrong("sound_silent"), for_s=2)
    assert wall.memory.told == before
    assert wall.see() == []
    assert wall.rings == ["sound_silent"]


def test_a_warning_that_explains_an_alarm_rings_in_its_stead() -> None:
    wall = Wall()
    wall.see(wrong("disk_behind", source="", level="warning"), wrong("sound_dropouts"), for_s=3)
    assert wall.rings == ["disk_behind"]
    assert [(one.level, one.severity) for one in wall.memory.told] == [("alarm", "ringing")]


def test_nothing_of_people_is_stored() -> None:
    memory = looked(AlarmMemory(), [replace(wrong("grant_expired"), details={"label": "Anna"})], NINE)
    assert "Anna" not in stored(memory)
    assert "Anna" not in stored(snoozed(memory, memory.told[0].id, NINE + KEEP_MS))
    assert restored("{]") == restored('{"episodes": 7}') == AlarmMemory()


@pytest.mark.parametrize("seed", range(30))
def test_nothing_is_lost_and_nothing_rings_twice(seed: int) -> None:
    """Troubles come and go at random, with a restart now and then."""
    rng = random.Random(seed)
    wall = Wall()
    codes = [*sorted(rng.sample(sorted(RANKS), 9)), "not_started", "hold"]
    there: dict[str, Alarm] = {}
    last_explained: dict[str, int] = {}
    first_seen: dict[str, int] = {}
    for _ in range(1500):
        for code in codes:
            if rng.random() < 0.02 and there.pop(code, None) is None:
                source = rng.choice(("", "main", "second"))
                there[code] = wrong(code, wall.now_ms - rng.randrange(4000), source)
        found, now_ms = list(there.values()), wall.now_ms
        wall.see(*found)
        told = wall.memory.told
        assert len({one.id for one in told}) == len(told)
        roots = {(one.code, one.details.get("source", "")) for one in told}
        for alarm in found:
            explained = any(one.id != alarm.id and explains(one, alarm, "main") for one in found)
            if explained:
                last_explained[alarm.id] = now_ms
            first_seen.setdefault(alarm.id, now_ms)
            own = (alarm.code, alarm.details.get("source", "")) in roots
            fresh = waits(alarm) and now_ms - first_seen[alarm.id] <= WAIT_MS
            lingers = waits(alarm) and now_ms - last_explained.get(alarm.id, -(10**15)) <= LINGER_MS
            assert own or explained or fresh or lingers, alarm
            assert not (own and explained), alarm
        for gone in first_seen.keys() - {one.id for one in found}:
            del first_seen[gone]
        if rng.random() < 0.01:
            again = restored(stored(wall.memory))
            assert again.told == tuple(one for one in told if one.code in RANKS)
            wall.memory = replace(again, seen_ms=wall.memory.seen_ms, absorbed=wall.memory.absorbed)
    assert wall.rings
