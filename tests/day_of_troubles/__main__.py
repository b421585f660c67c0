"""``python -m tests.day_of_troubles``: faults in sound and pictures, named by the room's meters and rules, or not.

Real recorded voices of Debian's packages in computed halls, through Opus or H.264, in virtual time. Thresholds are
tuned on the seeds A and reported on the seeds B; each fault comes at three severities, one just under its threshold.
With ``--way`` packets, devices, pages and this server fail instead, and what the crew is told is judged. With
``--pairs`` two faults come at once, and the order of causes says what is told of them. With ``--clean HOURS`` clean
rooms are judged, on measures of clean sound and pictures in random order; with ``--full-rate MINUTES`` in processes of
rooms that receive and decode them.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping

import structlog

from streamer.director.room_troubles import WARNINGS
from tests.day_of_troubles import recordings
from tests.day_of_troubles.full_rate import full_rate
from tests.day_of_troubles.pairs import all_pairs
from tests.day_of_troubles.pictures import MEASURED_RATE
from tests.day_of_troubles.runs import KINDS, Run, all_runs, clean_hours, clean_minutes, clean_pictures
from tests.day_of_troubles.way_runs import WAY_FAULTS, all_way_runs

SEEDS = {"A": 0, "B": 21000}
"""Of B a run is told as it is: once something was changed because of one, B moves on to seeds that nobody has seen."""
NONE = "(none)"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.day_of_troubles", description=__doc__)
    parser.add_argument("--seeds", choices=SEEDS, default="B")
    parser.add_argument("--runs", type=int, default=2, help="of each fault at each severity")
    parser.add_argument("--kinds", nargs="*", choices=(*KINDS, *WAY_FAULTS), help="all, if none is named")
    parser.add_argument("--way", action="store_true", help="faults of packets, devices, pages and this server instead")
    parser.add_argument("--pairs", action="store_true", help="two faults at once instead")
    parser.add_argument("--clean", type=float, default=0.0, metavar="HOURS", help="of clean rooms instead")
    parser.add_argument("--full-rate", type=float, default=0.0, metavar="MINUTES", help="of clean rooms' processes")
    parser.add_argument("--rooms", type=int, default=2, help="of them at once")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if not recordings.are_there():
        print("The recordings are not there: make setup, as root.", file=sys.stderr)
        return 1
    first = SEEDS[options.seeds]
    seeds = range(first, first + options.runs)
    if options.pairs:
        return _pairs(seeds)
    if options.clean:
        return _clean(seeds, options.clean)
    if options.full_rate:
        return _full_rate(seeds, options.rooms, options.full_rate)
    runs = (
        all_way_runs(options.kinds or list(WAY_FAULTS), seeds)
        if options.way
        else all_runs(options.kinds or KINDS, seeds)
    )
    return _faults(runs, options.seeds)


def _pairs(seeds: range) -> int:
    runs = []
    for made in all_pairs(seeds):
        runs.append(made)
        told = ", ".join(f"{code} {at_s:.1f} s" for code, at_s in made.told.items()) or NONE
        print(f"{made.name:46} {made.seed:5}  {told}  {made.wrong.upper()}", flush=True)
    right = sum(not made.wrong for made in runs)
    print(f"\npairs told by their causes, in time, with no other ring: {right} of {len(runs)}")
    return int(right < len(runs))


def _faults(found: Iterable[Run], name: str) -> int:
    runs = []
    for made in found:
        runs.append(made)
        told = ", ".join(f"{code} {at_s:.1f} s" for code, at_s in made.told_s.items()) or NONE
        cleared = "" if made.cleared_s is None else f"; clear {made.cleared_s:.0f} s after"
        print(f"{made.kind:20} {made.severity:6} {made.seed:5}  {told}{cleared}  {made.wrong.upper()}", flush=True)
    print(f"\nConfusion on seeds {name}: rows are faults, and what was told of them\n")
    _confusion(runs)
    named = [made for made in runs if made.severity != "under"]
    under = [made for made in runs if made.severity == "under"]
    print(f"\nnamed in time, alone, and cleared: {sum(not made.wrong for made in named)} of {len(named)}")
    print(f"just under the threshold and silent: {sum(not made.wrong for made in under)} of {len(under)}")
    return int(any(made.wrong for made in runs))


def _confusion(runs: list[Run]) -> None:
    for severities, title in ((("plain", "strong"), "faults"), (("under",), "under the threshold")):
        print(f"  {title}")
        for kind in dict.fromkeys(made.kind for made in runs):
            found = Counter(
                code
                for made in runs
                if made.kind == kind and made.severity in severities
                for code in (made.told_s or {NONE: 0.0})
            )
            print(f"    {kind:20} " + ", ".join(f"{code} {count}" for code, count in found.most_common()))


def _clean(seeds: range, hours: float) -> int:
    began = time.process_time()
    minutes, looks = clean_minutes(seeds), clean_pictures(seeds)
    heard_s = sum(measures[-1].at_ms for measures in minutes.values()) / 1000
    seen_s = sum(map(len, looks)) / MEASURED_RATE
    spent_s = time.process_time() - began
    print(
        f"{heard_s / 60:.0f} minutes of clean sound, {seen_s / 60:.0f} of pictures, {spent_s:.0f} s of processor time"
    )
    told = clean_hours(minutes, looks, hours, seeds[0])
    print(f"{hours:g} clean room-hours of their measures: {told or 'nothing is told'}")
    return _share(told, hours)


def _full_rate(seeds: range, rooms: int, minutes: float) -> int:
    found = asyncio.run(full_rate(rooms, minutes, seeds, lambda line: print(line, flush=True)))
    hours = rooms * minutes / 60
    print(f"{hours:.2f} clean room-hours at full rate, {rooms} rooms at once: {dict(found.told) or 'nothing is told'}")
    print(
        f"{found.cores:.3f} of a core a room; senders were {found.late_s * 1000:.0f} ms late at worst; "
        f"{found.dropped:.0f} packets were not measured; load {os.getloadavg()[0]:.1f}"
    )
    return _share(found.told, hours)


def _share(told: Mapping[str, int], hours: float) -> int:
    rings = sum(count for code, count in told.items() if code not in WARNINGS)
    warnings = sum(told.values()) - rings
    print(f"rings in 8 h: {rings * 8 / hours:.2f} (1 at most); warnings an hour: {warnings / hours:.2f} (2 at most)")
    return int(rings > hours / 8 or warnings > 2 * hours)


if __name__ == "__main__":
    sys.exit(main())
