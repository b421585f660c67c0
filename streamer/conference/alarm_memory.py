"""One trouble rings once: what is told of a room's alarms, and what is remembered of them. Pure.

An :class:`Episode` is one trouble, from its first ring until ten minutes after its end. Its id is that of the alarm
which began it, and stays when a graver cause comes to light. What the crew has said of it (taken on, silenced, normal)
belongs to the id, so a trouble that comes back within ten minutes is not announced as a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from streamer.conference.alarm_causes import RANKS, UPLINK, explains, waits
from streamer.conference.alarms import Alarm

WAIT_MS = 1_000
"""A symptom waits this long for its cause."""
KNOWN_MS = 4_500
"""Each cause of dead sound is noticed within this time."""
REOPEN_MS = 10 * 60_000
LINGER_MS = 100_000
"""After its cause has ended, a symptom may take this long to clear before it is a trouble of its own: clearing takes
three times as long as the on-time."""
INTERMITTENT = 3


@dataclass(frozen=True, slots=True)
class Episode:
    """``alarm``: what is told of it, or was told last. ``began_by``: the ids of alarms that were it so far."""

    id: str
    alarm: Alarm
    began_by: tuple[str, ...]
    times: int = 1
    ended_ms: int | None = None
    snoozed_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Normal:
    """Somebody has said that this is normal in a session; None: between sessions."""

    alarm: str
    """The alarm's own id, not its episode's."""
    session: str | None

    @property
    def kind(self) -> str:
        return self.alarm.partition(":")[0]


@dataclass(frozen=True, slots=True)
class AlarmMemory:
    """A room's memory of its alarms. ``seen_ms`` and ``absorbed`` may be lost; the rest is stored."""

    episodes: tuple[Episode, ...] = ()
    normals: tuple[Normal, ...] = ()
    seen_ms: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Alarm -> when it was first found."""
    absorbed: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Alarm -> the last time at which another explained it."""

    @property
    def told(self) -> tuple[Alarm, ...]:
        """The gravest first."""
        return tuple(sorted((one.alarm for one in self.episodes if one.ended_ms is None), key=gravity))

    @property
    def remembered(self) -> frozenset[str]:
        """The ids that the crew's words still belong to."""
        return frozenset(one.id for one in self.episodes)

    def open(self, id_: str) -> Episode | None:
        return next((one for one in self.episodes if one.id == id_ and one.ended_ms is None), None)


def gravity(alarm: Alarm) -> tuple[bool, int, int, int, str]:
    """The key of a sort that puts the gravest first: what rings, then by the order of causes, then the oldest."""
    rank = RANKS.get(alarm.code, RANKS["on_air_without_media"])
    level = {"alarm": 0, "warning": 1, "notice": 2}[alarm.level]
    return (alarm.severity != "ringing", level, rank, alarm.since_ms, alarm.id)


def looked(
    memory: AlarmMemory,
    found: Sequence[Alarm],
    now_ms: int,
    *,
    session: str | None = None,
    on_programme: str = "",
    unknown: frozenset[str] = frozenset(),
) -> AlarmMemory:
    """The memory after a look. ``found``: everything that is wrong now. ``session``: the one that is on air, or next.
    ``unknown``: codes of which nothing is known at the moment (the room's process is away): they stay as they were."""
    normals = tuple(one for one in memory.normals if one.session == session)
    quiet = {one.alarm for one in normals}
    kept = [one.alarm for one in memory.episodes if one.ended_ms is None and one.alarm.code in unknown]
    present = {alarm.id: alarm for alarm in found if alarm.id not in quiet}
    for alarm in kept:
        present.setdefault(_own_id(memory, alarm), replace(alarm, id=_own_id(memory, alarm)))
    seen = {id_: memory.seen_ms.get(id_, now_ms) for id_ in present}
    roots, absorbed = _roots(memory, present, on_programme, now_ms)
    episodes = _continued(memory, present, roots, seen, now_ms)
    known = [one for one in episodes if one.ended_ms is None or now_ms - one.ended_ms < REOPEN_MS]
    return AlarmMemory(tuple(known), normals, seen, absorbed)


def snoozed(memory: AlarmMemory, id_: str, until_ms: int) -> AlarmMemory:
    """The episode with this id makes no sound until then."""
    return replace(
        memory,
        episodes=tuple(
            replace(one, snoozed_until_ms=until_ms, alarm=replace(one.alarm, snoozed_until_ms=until_ms))
            if one.id == id_
            else one
            for one in memory.episodes
        ),
    )


def normal(memory: AlarmMemory, id_: str, session: str | None) -> AlarmMemory:
    """The trouble of the episode with this id is normal in the session."""
    episode = memory.open(id_)
    if episode is None:
        return memory
    own = Normal(episode.began_by[-1], session)
    rest = tuple(one for one in memory.episodes if one.id != id_)
    return replace(memory, episodes=rest, normals=(*(one for one in memory.normals if one != own), own))


def not_normal(memory: AlarmMemory, alarm: str) -> AlarmMemory:
    """Tell the alarm with this own id again."""
    return replace(memory, normals=tuple(one for one in memory.normals if one.alarm != alarm))


# --- inside -----------------------------------------------------------------------------------------


def _own_id(memory: AlarmMemory, alarm: Alarm) -> str:
    """The id under which the alarm of an episode was found."""
    return next(one.began_by[-1] for one in memory.episodes if one.alarm == alarm)


def _cause_of(symptom: Alarm, present: Mapping[str, Alarm], on_programme: str) -> Alarm | None:
    causes = [one for one in present.values() if one.id != symptom.id and explains(one, symptom, on_programme)]
    return min(causes, key=lambda one: (RANKS[one.code], one.since_ms), default=None)


def _roots(
    memory: AlarmMemory, present: Mapping[str, Alarm], on_programme: str, now_ms: int
) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Those that nothing explains -> what each explains; and those that are explained, or were until a moment ago."""
    roots: dict[str, list[str]] = {}
    absorbed: dict[str, int] = {}
    for id_, alarm in present.items():
        cause = _cause_of(alarm, present, on_programme)
        while cause is not None:
            above = _cause_of(cause, present, on_programme)
            if above is None:
                break
            cause = above
        if cause is not None:
            absorbed[id_] = now_ms
            roots.setdefault(cause.id, []).append(id_)
            continue
        last_ms = memory.absorbed.get(id_)
        if last_ms is not None and 0 <= now_ms - last_ms < LINGER_MS and waits(alarm):
            absorbed[id_] = last_ms
            continue
        roots.setdefault(id_, [])
    return roots, absorbed


def _continued(
    memory: AlarmMemory,
    present: Mapping[str, Alarm],
    roots: Mapping[str, list[str]],
    seen: Mapping[str, int],
    now_ms: int,
) -> list[Episode]:
    episodes = {one.id: one for one in memory.episodes}
    lasting: set[str] = set()
    for root, members in sorted(roots.items(), key=lambda item: _age(memory, item[0])):
        alarm = present[root]
        episode = _episode_of(episodes, lasting, root, members)
        begins = episode is None or episode.ended_ms is not None
        if begins and _waits(alarm, seen[root], now_ms):
            continue
        grave = alarm.level == "alarm" or any(present[one].level == "alarm" for one in members)
        alarm = replace(alarm, level="alarm") if grave else alarm
        told = _told(episode, _free_id(episodes, root), alarm, root, now_ms)
        episodes[told.id] = told
        lasting.add(told.id)
    return [
        one if id_ in lasting or one.ended_ms is not None else replace(one, ended_ms=now_ms)
        for id_, one in episodes.items()
    ]


def _waits(alarm: Alarm, seen_ms: int, now_ms: int) -> bool:
    """Whether a cause of it may be noticed in a moment: not of a weak upload, which is none where nothing comes at all,
    nor of sound that has been dead for long."""
    known = alarm.code in UPLINK or (alarm.code == "sound_dead" and now_ms - alarm.since_ms >= KNOWN_MS)
    return waits(alarm) and not known and 0 <= now_ms - seen_ms < WAIT_MS


def _age(memory: AlarmMemory, id_: str) -> int:
    """Open episodes first, in their order: they keep what is theirs."""
    for place, one in enumerate(memory.episodes):
        if one.ended_ms is None and one.began_by[-1] == id_:
            return place
    return len(memory.episodes)


def _episode_of(
    episodes: Mapping[str, Episode], lasting: set[str], root: str, members: Sequence[str]
) -> Episode | None:
    """The episode that the root goes on with: its own, the open one of something that it explains, or one that has
    ended minutes ago and was about it."""
    free = [one for one in episodes.values() if one.id not in lasting]
    for ids in ((root,), members):
        for one in free:
            if one.ended_ms is None and one.began_by[-1] in ids:
                return one
    return max((one for one in free if root in one.began_by), key=lambda one: one.ended_ms or 0, default=None)


def _free_id(episodes: Mapping[str, Episode], root: str) -> str:
    id_, number = root, 1
    while id_ in episodes:
        number += 1
        id_ = f"{root}~{number}"
    return id_


def _told(episode: Episode | None, id_: str, alarm: Alarm, root: str, now_ms: int) -> Episode:
    if episode is None:
        return Episode(id_, replace(alarm, id=id_), (root,))
    again = episode.ended_ms is not None
    snoozed_ms = episode.snoozed_until_ms
    if snoozed_ms is not None and now_ms >= snoozed_ms:
        snoozed_ms = None
    same = not again and episode.began_by[-1] == root
    times = episode.times + again
    told = replace(
        alarm,
        id=episode.id,
        since_ms=min(alarm.since_ms, episode.alarm.since_ms) if same else alarm.since_ms,
        # Figures of a media trouble are those of its begin: they change all the time, and are no news.
        details=episode.alarm.details if same and waits(alarm) else alarm.details,
        times=times,
        snoozed_until_ms=snoozed_ms,
    )
    began_by = (*(one for one in episode.began_by if one != root), root)
    return Episode(episode.id, told, began_by, times, None, snoozed_ms)
