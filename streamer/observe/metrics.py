"""Prometheus metrics of one web process, in a registry of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streamer import __version__
from streamer.control.media_plane import RoomLink
from streamer.observe.disk import Disk
from streamer.observe.memory import Memory
from streamer.observe.metric_help import help_of
from streamer.supervision import Tasks

_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)


Rooms = Callable[[], Mapping[str, RoomLink]]


class WebMetrics:
    """The web process's own metrics. ``observe`` is called for each request, so child metrics are kept."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "streamer_http_requests",
            help_of("http_requests"),
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "streamer_http_request_seconds",
            help_of("http_request_seconds"),
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._count_children: dict[tuple[str, str, int], Counter] = {}
        self._time_children: dict[str, Histogram] = {}

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        # Clients choose the method: an unknown one must not make a new series.
        method = method if method in _METHODS else "other"
        key = (route, method, status)
        counter = self._count_children.get(key)
        if counter is None:
            counter = self._count_children[key] = self._requests.labels(route, method, str(status))
        counter.inc()
        histogram = self._time_children.get(route)
        if histogram is None:
            histogram = self._time_children[route] = self._seconds.labels(route)
        histogram.observe(seconds)

    def watch_rooms(self, rooms: Rooms) -> None:
        self.registry.register(_RoomCollector(rooms))

    def watch_values(self, prefix: str, *values: Any) -> None:
        """Export a dataclass of plain numbers, or the sums over several of one kind. A field called ``*_total`` is a
        counter, another a gauge."""
        self.registry.register(_ValuesCollector(prefix, *values))

    def watch_tasks(self, tasks: Tasks) -> None:
        self.registry.register(_TaskCollector(tasks))

    def watch_disk(self, look: Callable[[], Disk | None]) -> None:
        """``look`` is called for each scrape."""
        self.registry.register(_DiskCollector(look))

    def watch_memory(self, look: Callable[[], Memory | None]) -> None:
        """``look`` is called for each scrape."""
        self.registry.register(_MemoryCollector(look))

    def watch_counter(self, name: str, read: Callable[[], float]) -> None:
        self.registry.register(_FunctionCollector(CounterMetricFamily, name, read))

    def watch_gauge(self, name: str, read: Callable[[], float | None]) -> None:
        """``read`` is called for each scrape; None: there is nothing to tell."""
        self.registry.register(_FunctionCollector(GaugeMetricFamily, name, read))

    def render(self) -> bytes:
        return generate_latest(self.registry)


_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


class _TaskCollector(Collector):
    """Long-lived tasks of this process that failed and were started again."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        restarts = CounterMetricFamily("streamer_task_restarts", help_of("task_restarts"), labels=("task",))
        for name, count in self._tasks.restarts.items():
            restarts.add_metric((name,), count)
        yield restarts


class _RoomCollector(Collector):
    """The last status of each room process."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        build = GaugeMetricFamily("streamer_build_info", help_of("build_info"), labels=("version",))
        build.add_metric((__version__,), 1)
        yield build
        rooms = dict(self._rooms())
        count = GaugeMetricFamily("streamer_rooms", help_of("rooms"))
        count.add_metric((), len(rooms))
        yield count
        per_room = {
            name: GaugeMetricFamily(f"streamer_room_{name}", help_of(f"room_{name}"), labels=("room",))
            for name in ("up", "on_programme", "whep_viewers", "alarms", "shedding")
        }
        per_source = {
            name: GaugeMetricFamily(
                f"streamer_source_{name}", help_of(f"source_{name}"), labels=("room", "source", *extra)
            )
            for name, *extra in (
                ("up",),
                ("round_trip_seconds",),
                ("bitrate_bits", "kind"),
                ("jitter_seconds", "kind"),
            )
        }
        packets, lost = (
            CounterMetricFamily(f"streamer_{name}", help_of(name), labels=("room", "source", "kind"))
            for name in ("source_packets", "source_packets_lost")
        )
        counters: dict[str, CounterMetricFamily] = {}
        for room, link in rooms.items():
            per_room["up"].add_metric((room,), 1 if link.up else 0)
            status = link.status
            counted = {**link.counters(), **(status.counters if status else {})}
            for counter, value in counted.items():
                family = counters.get(counter)
                if family is None:
                    name = _metric_name(counter.removeprefix("room_"))
                    family = counters[counter] = CounterMetricFamily(
                        f"streamer_room_{name}", help_of(f"room_{name}"), labels=("room",)
                    )
                family.add_metric((room,), value)
            if status is None:
                continue
            per_room["on_programme"].add_metric((room,), 0 if status.on_programme == "slate" else 1)
            per_room["whep_viewers"].add_metric((room,), status.viewers_whep)
            per_room["alarms"].add_metric((room,), len(status.alarms))
            per_room["shedding"].add_metric((room,), len(status.shedding))
            for name, source in status.sources.items():
                per_source["up"].add_metric((room, name), 1 if source.up else 0)
                if source.round_trip_ms is not None:
                    per_source["round_trip_seconds"].add_metric((room, name), source.round_trip_ms / 1000)
                for kind, track in (("video", source.video), ("audio", source.audio)):
                    if track is not None:
                        per_source["bitrate_bits"].add_metric((room, name, kind), track.bitrate)
                        per_source["jitter_seconds"].add_metric((room, name, kind), track.jitter_ms / 1000)
                        packets.add_metric((room, name, kind), track.packets)
                        lost.add_metric((room, name, kind), track.lost)
        yield from per_room.values()
        yield from per_source.values()
        yield packets
        yield lost
        yield from counters.values()


class _ValuesCollector(Collector):
    def __init__(self, prefix: str, *values: Any) -> None:
        self._prefix = prefix
        self._values = values

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        for field in dataclasses.fields(self._values[0]):
            if not isinstance(getattr(self._values[0], field.name), int | float):
                continue
            value = sum(getattr(one, field.name) for one in self._values)
            name = f"{self._prefix}_{_metric_name(field.name)}"
            meaning = help_of(name)
            if not field.name.endswith("_total"):
                gauge = GaugeMetricFamily(name, meaning)
                gauge.add_metric((), value)
                yield gauge
            else:
                counter = CounterMetricFamily(name, meaning)
                counter.add_metric((), value)
                yield counter


class _DiskCollector(Collector):
    def __init__(self, look: Callable[[], Disk | None]) -> None:
        self._look = look

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        disk = self._look()
        if disk is None:
            return
        yield _gauge("streamer_disk_free_bytes", disk.free)
        yield _gauge("streamer_disk_size_bytes", disk.size)
        yield _gauge("streamer_disk_left_seconds", disk.left_s)


class _MemoryCollector(Collector):
    def __init__(self, look: Callable[[], Memory | None]) -> None:
        self._look = look

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        memory = self._look()
        if memory is not None:
            yield _gauge("streamer_memory_available_bytes", memory.available)
            yield _gauge("streamer_memory_size_bytes", memory.size)


class _FunctionCollector(Collector):
    def __init__(
        self,
        kind: type[CounterMetricFamily | GaugeMetricFamily],
        name: str,
        read: Callable[[], float | None],
    ) -> None:
        self._kind, self._name, self._read = kind, name, read

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        value = self._read()
        if value is not None:
            family = self._kind(self._name, help_of(self._name))
            family.add_metric((), value)
            yield family


def _gauge(name: str, value: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_of(name))
    family.add_metric((), value)
    return family


def _metric_name(text: str) -> str:
    return "".join(character if character.isalnum() and character.isascii() else "_" for character in text)
