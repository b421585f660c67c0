"""Delivery's own counters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class DeliveryStats:
    """Counters that only grow, except ``held_now``. Exported by ``streamer.observe``."""

    held_now: int = 0
    """Requests that wait now (a gauge)."""
    held_total: int = 0
    hold_timeouts_total: int = 0
    hold_disconnects_total: int = 0
    hold_revoked_total: int = 0
    """Requests whose key was revoked while they waited."""
    hold_refused_overall_total: int = 0
    """Refused because of the limit on all held requests."""
    hold_refused_address_total: int = 0
    hold_refused_connection_total: int = 0
    bad_directives_total: int = 0
    multivariant_total: int = 0
    playlists_total: int = 0
    playlists_delta_total: int = 0
    renders_total: int = 0
    """Playlists rendered; the others were shared."""
    not_modified_total: int = 0
    parts_total: int = 0
    segments_total: int = 0
    inits_total: int = 0
    stills_total: int = 0
    captions_total: int = 0
    """Segments of captions."""
    not_listed_total: int = 0
    """Requests for media under an address that its output does not list (any more)."""
    memory_reads_total: int = 0
    disk_reads_total: int = 0
    disk_read_bytes_total: int = 0
    bucket_reads_total: int = 0
    disk_refused_total: int = 0
    """Reads that were refused or given up because the disk was too slow."""
    media_bytes_total: int = 0
    """Bytes of media in answers."""
