"""Of each metric its meaning, and what an operator does about it: by its name without ``streamer_`` and ``_total``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Help(NamedTuple):
    """Two sentences or more. ``remedy`` begins with an order, or with *Nothing to do* and when that holds."""

    meaning: str
    remedy: str


_LOAD = "Nothing to do: it tells the load."
_USUAL = "Nothing to do while few of many: clients come and go."
_HOUSEHOLD = "Look in the log for the client's address; block it at the proxy if it does not stop."
_MACHINE = "Look at the machine's processor: end other programs, or take a rung from media.rungs."
_DISK = "Look at the disk at once: free space, or mend what makes it slow."
_UPLINK = "Check the publisher's network: a cable in place of Wi-Fi, or a lower bitrate."
_ENCODER = "Check the publisher's encoder and its settings; the studio page names what it sends."
_LOG = "Look in the log, where each is told with its cause."
_BUG = "Report it with the log: the program should never do this."

_SHARED: Mapping[str, Mapping[str, str]] = {
    _LOAD: {
        "build_info": "1, with the running version as a label.",
        "http_requests": "HTTP requests that were answered.",
        "http_request_seconds": "Seconds to answer a request; held playlists, which wait for the next part, included.",
        "rooms": "Rooms that are open: their broadcast runs.",
        "connections_open": "TCP connections that are open now, of everybody.",
        "connections_crew": "Open connections that have shown a grant; places are kept for them.",
        "connections_opened": "TCP connections that were accepted.",
        "delivery_held_now": "Playlist requests that wait for the next part now; about two for each viewer.",
        "delivery_held": "Playlist requests that waited for a part (blocking reload).",
        "delivery_multivariant": "Multivariant playlists answered: about one for each viewer that begins.",
        "delivery_playlists": "Media playlists answered, one for each part to each player close to live.",
        "delivery_playlists_delta": "Media playlists answered as a delta update, which is shorter.",
        "delivery_renders": "Media playlists that were made; the other answers shared one of these.",
        "delivery_not_modified": "Answers 304, to clients that had the newest already.",
        "delivery_parts": "Parts answered: a third of a second each, to players close to live.",
        "delivery_segments": "Whole segments answered, to players further back or without low latency.",
        "delivery_inits": "Initialization sections answered: one for each rendition that a player begins.",
        "delivery_stills": "Pictures of the public output answered, for cards and poor links.",
        "delivery_captions": "Segments of captions answered, to players that show them.",
        "delivery_memory_reads": "Reads of media that memory answered.",
        "delivery_disk_reads": "Reads of media that went to the disk: viewers far behind live.",
        "delivery_bucket_reads": "Reads of media that went to archive.bucket: replays whose files are there alone.",
        "delivery_disk_read_bytes": "Bytes of media read from the disk.",
        "delivery_media_bytes": "Bytes of live media in answers.",
        "replay_index": "Multivariant playlists of recordings answered: about one for each viewer that begins.",
        "replay_playlists": "Media playlists of recordings answered, one for each rendition that a player begins.",
        "replay_segments": "Segments of recordings answered, to viewers of replays.",
        "replay_inits": "Initialization sections of recordings answered, one for each rendition begun.",
        "replay_captions": "Captions of recordings answered, to players that show them.",
        "replay_opened": "Editions that were read from the disk or begun.",
        "replay_media_bytes": "Bytes of recordings in answers.",
        "replay_downloads_now": "MP4 downloads that run now.",
        "replay_downloads": "MP4 downloads that began, of everybody.",
        "replay_download_bytes": "Bytes of MP4 files in answers.",
        "playback_reports": "Reports of players that watch live: two or three a minute from each.",
        "playback_buffer_ms": "Media ahead that players reported, summed: divided by playback_reports it is the mean.",
        "playback_bitrate_kbps": "Bitrates that players reported, summed: divided by playback_reports the mean.",
        "playback_throughput_kbps": "Throughputs that players measured, summed: divided by playback_reports the mean.",
        "realtime_audience": "Clients that are connected as audience now.",
        "realtime_moderation": "Clients that are connected as moderators now.",
        "realtime_studio": "Clients that are connected as technicians now.",
        "realtime_sessions": "Engine.IO sessions that are open now, joined or not.",
        "realtime_connections": "Engine.IO sessions that were opened.",
        "realtime_events": "Events that were posted to a channel, counted once.",
        "realtime_deliveries": "Events that were written to clients, counted once for each client.",
        "realtime_messages": "Messages that carried these events; several events share one.",
        "realtime_replaced": "Readings, such as levels of sound, that newer ones replaced before they were sent.",
        "realtime_commands": "Commands that clients sent.",
        "realtime_taken_out": "Clients taken out because their grant ended, was revoked or reaches no more.",
        "uploads_kept": "Media files whose copy in archive.bucket was compared with them.",
        "uploads_kept_bytes": "Bytes of the media files whose copy in archive.bucket was compared with them.",
        "uploads_sent": "Media files that were copied to archive.bucket.",
        "uploads_sent_bytes": "Bytes of media files that were copied to archive.bucket.",
        "uploads_deleted": "Objects that were deleted from archive.bucket with what was erased here.",
        "notify_sent": "Messages about alarms that arrived at their receiver.",
        "edges_told": "Times that an edge acknowledged that it must ask again for a room's or a recording's media.",
        "disk_size_bytes": "Bytes of the file system that holds the data folder.",
        "memory_size_bytes": "Bytes of the machine's memory.",
        "room_whep_viewers": "Lowest-latency viewers (WHEP) that are connected now.",
        "room_disk_bytes_written": "Bytes of media and index that were written to the disk.",
        "room_frames_left_out": "Frames above media.max_frame_rate, or left out of a reduced rendition.",
        "room_part_cache_hits": "Reads that the web process's memory of the room answered.",
        "room_publications": "Publications that connected.",
        "room_takeovers": "Publications that replaced another one of the same source.",
        "room_takes": "Changes of what the programme shows: sources, the slate, the same source after a break.",
        "room_rtp_packets": "Packets of sources that came.",
        "room_rtp_packets_recovered": "Packets of sources that came after they were asked for again.",
        "room_whep_bytes": "Bytes sent to lowest-latency viewers.",
        "room_whep_packets": "Packets sent to lowest-latency viewers.",
        "source_bitrate_bits": "Bits per second that come in.",
        "source_packets": "RTP packets of the source that came.",
    },
    _USUAL: {
        "connections_cut_idle": "Connections closed after server.idle_s without a request.",
        "connections_cut_headers": "Connections closed because no whole request came in server.headers_s.",
        "connections_cut_body": "Connections closed because a body did not come in server.body_s.",
        "connections_cut_slow": "Connections closed because the client took less than server.slow_reader_bytes_per_s.",
        "connections_handshakes_failed": "TLS handshakes that failed; scanners cause some at all times.",
        "delivery_hold_disconnects": "Held requests whose client went away first.",
        "delivery_hold_revoked": "Held requests that ended because their key was revoked.",
        "delivery_bad_directives": "Playlist requests with directives that make no sense, answered 400.",
        "delivery_not_listed": "Requests for media that their output does not list, or not any more, answered 404.",
        "replay_replaced": "Requests for an edition that has been replaced, answered 410.",
        "realtime_lagging": "Clients for whom something waits to be sent now.",
        "realtime_cut_behind": "Clients cut off because more than realtime.max_behind_bytes or too many events waited.",
        "realtime_cut_stalled": "Clients cut off because they took nothing for realtime.stall_s.",
        "realtime_cut_idle": "Connections cut off because they joined no namespace in realtime.join_s.",
        "realtime_commands_refused": "Commands that were answered with an error: rate, right or a wrong value.",
        "realtime_resumed": "Clients that came back and were told only what they had missed.",
        "realtime_reset": "Clients that came back too late and were given a whole snapshot.",
        "room_part_cache_misses": "Reads that the web process's memory of the room could not answer.",
        "room_keyframes_requested": "Key frames that publishers were asked for.",
        "room_reconnects": "Connections to the room's process that were made again.",
        "room_takeovers_refused": "Publications refused because the source was occupied.",
        "room_whep_frames_dropped": "Frames not sent to a lowest-latency viewer whose link is too slow.",
        "room_whep_resent": "Packets sent again to lowest-latency viewers who asked for them.",
    },
    _HOUSEHOLD: {
        "connections_cut_for_others": "Idle connections of households with many, closed to make room for new ones.",
        "refused_publish": "Publications refused with 429: room.attempts_per_minute of one household.",
        "refused_play": "WHEP requests refused with 429: hls.max_held_per_address a minute of one household.",
        "refused_failed_tokens": "Requests refused with 429 after too many wrong tokens of one household.",
        "refused_failed_passwords": "Logins refused with 429 after too many wrong passwords of one household.",
        "refused_hashing": "Logins refused because too many passwords were being compared.",
        "refused_guessed_admin_tokens": "Tokens that were not compared with the admin token, after too many guesses.",
        "refused_exports": "Schedules and tables refused with 429 to one household.",
        "refused_playback": "Reports of players refused with 429 to one household.",
        "refused_wrong_hall_codes": "Hall codes refused with 429 after too many wrong ones of one household.",
        "delivery_hold_refused_connection": "Requests refused because one connection had too many waiting.",
    },
    _MACHINE: {
        "room_shedding": "Renditions that run at a reduced rate or not at all.",
        "room_frames_dropped": "Frames that were left out because a thread was behind.",
        "room_meter_jobs_dropped": "Packets and key frames that were not measured because the machine was busy.",
        "room_relay_frames_dropped": "Frames that were not handed to the relay because it was behind.",
        "room_parts_late": "Parts that were listed later than they should; viewers may have stalled.",
        "room_gaps": "Segments that an output lists as a gap: a rendition had nothing for that time.",
        "room_control_readers_cut": "Web processes that were cut off the room's control socket for reading too slowly.",
        "room_data_readers_cut": "Web processes that were cut off the room's data socket for reading too slowly.",
        "room_out_of_step": "Times that this process's picture of the room had to be read anew.",
        "room_sound_late": "Frames of sound that came after their place on the timeline.",
        "delivery_hold_timeouts": "Held requests that were answered without the part; it was late.",
    },
    _DISK: {
        "delivery_disk_refused": "Reads that were refused or given up because the disk was too slow.",
        "disk_free_bytes": "Bytes that are free for the data folder.",
        "disk_left_seconds": "The time until the disk is full, while the rooms that are open now go on.",
        "room_disk_lost_parts": "Parts that were in memory and could not be written: missing in recordings.",
        "room_disk_refused_parts": "Parts that were not queued for the disk, too many waited: missing in recordings.",
        "room_parts_memory_only": "Parts that are in memory only because the disk is in trouble.",
    },
    _UPLINK: {
        "source_round_trip_seconds": "Seconds from us to the publisher and back, by its RTCP reports.",
        "source_jitter_seconds": "Seconds by which packets come unevenly (RFC 3550, 6.4.1).",
        "source_packets_lost": "RTP packets of the source that never came.",
        "room_nacks_sent": "Requests to publishers to send lost packets again.",
        "room_rtp_frames_dropped": "Frames of sources that were left out because packets of them were lost.",
        "room_rtp_packets_late": "Packets of sources that came after their time.",
        "room_rtp_packets_lost": "Packets of sources that never came.",
        "room_sound_concealed": "Frames of sound that were made up where packets were lost.",
    },
    _ENCODER: {
        "room_decode_errors": "Frames of sources that could not be decoded.",
        "room_parts_overlong": "Parts longer than hls.part_target_ms.",
        "room_pictures_refused": "Pictures larger than media.max_source_megapixels, which are not decoded.",
        "room_rtp_frames_refused": "Frames of sources that are larger than any frame may be.",
        "room_rtp_packets_refused": "Packets over ice.max_publish_kbps, or malformed.",
        "room_samples_refused": "Encoded samples that a packager refused, such as ones out of order.",
        "room_sound_errors": "Frames of sound that could not be decoded.",
        "room_sound_refused": "Frames of sound in a form that is not taken.",
        "room_units_malformed": "Frames of sources that are no valid H.264, VP8 or Opus.",
    },
    _LOG: {
        "task_restarts": "Tasks that were restarted after a failure.",
        "audience_faults": "Failures inside the audience service that were tried again.",
        "director_faults": "Failures inside the director that were tried again.",
        "archivist_faults": "Failures inside the archivist that were tried again; the recording may be incomplete.",
        "erasing_faults": "Erasures that failed and are tried again; what they erase may still be there.",
        "notifier_faults": "Times that alarms or their messages could not be stored; they are sent all the same.",
        "room_encode_errors": "Frames that an encoder refused; it was opened again.",
    },
    _BUG: {
        "room_media_job_failures": "Jobs of media threads that failed unexpectedly.",
        "room_relay_crashes": "Ends of the relay process for lowest-latency viewers that nobody asked for.",
        "room_task_restarts": "Tasks of the room that failed and were started again.",
    },
}

_OWN: Mapping[str, Help] = {
    "realtime_streams_lost": Help(
        "Times that a front process missed a message of the core's; all its clients entered anew.",
        "Look at the processor, and at the NATS server (bus.url) and the way there, if it goes on growing.",
    ),
    "connections_refused": Help(
        "Connections closed at once for want of a place.",
        "Raise the limit of file descriptors (LimitNOFILE=), which gives more places, or server.max_connections.",
    ),
    "connections_cut_unsent": Help(
        "Connections closed because more than server.max_unsent_bytes waited for all clients.",
        "Raise server.max_unsent_bytes if there is memory; else the way out of the house is too narrow.",
    ),
    "connections_unsent_bytes": Help(
        "Bytes that wait to be sent to all clients together.",
        "Compare it with server.max_unsent_bytes: near it the way out of the house is too narrow for the viewers.",
    ),
    "connections_accept_errors": Help(
        "Connections that the system could not hand over, for want of descriptors or memory.",
        "Raise the limit of file descriptors (LimitNOFILE=), and look at the memory.",
    ),
    "delivery_hold_refused_overall": Help(
        "Requests answered 503 because hls.max_held_total waited already.",
        "Raise hls.max_held_total if the processor has room: two for each viewer.",
    ),
    "delivery_hold_refused_address": Help(
        "Requests answered 503 because a household had hls.max_held_per_address waiting.",
        "Raise hls.max_held_per_address where a hall or a school watches; name a proxy in server.trusted_proxies.",
    ),
    "replay_downloads_refused": Help(
        "MP4 downloads refused because archive.max_downloads ran already.",
        "Raise archive.max_downloads if the disk and the line out have room.",
    ),
    "playback_stalls": Help(
        "Reports of players that stood still for want of media, at most one in 30 s from each.",
        "Compare it with playback_reports: more than one in fifty is our line out or the room, else the viewers' own.",
    ),
    "playback_errors": Help(
        "Reports of players that failed, at most one in 30 s from each.",
        "Compare it with playback_reports: more than one in fifty is ours; open the watch page yourself.",
    ),
    "realtime_refused": Help(
        "Connections that were refused, for want of a place or of a right.",
        "Raise realtime.max_connections, or realtime.max_connections_per_address for a hall behind one address.",
    ),
    "notify_failed": Help(
        "Attempts to send a message about an alarm that failed.",
        "Send a test from the studio page, under My phone, duty, and look in the log for the receiver.",
    ),
    "notify_given_up": Help(
        "Messages about alarms that will not be tried again: somebody was not told.",
        "Tell the people on duty yourself, then send a test from the studio page, under My phone, duty.",
    ),
    "uploads_away": Help(
        "Media files that lie in archive.bucket alone, by archive.local_days.",
        "Nothing to do: they are read from there by ranges, and come back when a part of them is forgotten.",
    ),
    "uploads_waiting": Help(
        "Finished media files that are not in archive.bucket yet, as the last look found them.",
        "Compare it with yesterday's: where it grows, the line to the bucket is too slow for what is recorded.",
    ),
    "uploads_waiting_bytes": Help(
        "Bytes of finished media files that are not in archive.bucket yet.",
        "Compare it with yesterday's: where it grows, the line to the bucket is too slow for what is recorded.",
    ),
    "uploads_failing": Help(
        "Failures of uploads to archive.bucket in a row; 0 after a success.",
        "Look in the log where it is not 0 for an hour, or run streamer check: it tries the bucket.",
    ),
    "uploads_failures": Help(
        "Looks at archive.bucket that failed, and were repeated.",
        "Look in the log, where each new cause is told; what is erased meanwhile is not called erased.",
    ),
    "edges_failures": Help(
        "Attempts to tell an edge that it must ask again for media that failed. Each is repeated.",
        "Look in the log for the edge; take one that is gone for good out of edges.addresses.",
    ),
    "edges_owed_now": Help(
        "Rooms and recordings of which an edge has not acknowledged that it must ask again for their media.",
        "Look in the log which edge does not answer if it is not 0 for some seconds: it may show what was erased.",
    ),
    "media_host_up": Help(
        "1 while the media host answers, else 0: no room can be opened.",
        "Look in the log; serve starts it again, and rooms that are open go on.",
    ),
    "media_host_reconnects": Help(
        "Connections to the media host that were lost and made again.",
        "Look in the log why it ended, if nobody restarted it.",
    ),
    "memory_available_bytes": Help(
        "Bytes of memory that programs can still have without swapping.",
        "End other programs, open fewer rooms, or lower hls.cache_bytes_per_room.",
    ),
    "certificate_left_seconds": Help(
        "The time until server.tls_cert ends; missing where a proxy holds the certificate.",
        "Renew it: a new file in the same place is taken by itself.",
    ),
    "backup_age_seconds": Help(
        "The time since the last backup that succeeded; missing before the first.",
        "Look at streamer-backup.service where it is more than a day and a half.",
    ),
    "room_up": Help(
        "1 while the room's process answers, else 0.",
        "Look in the log; the media host starts the room again, in the same broadcast.",
    ),
    "room_on_programme": Help(
        "1 while the programme shows a source, 0 while it shows the slate.",
        "Call the room where it should be on air: nothing comes in.",
    ),
    "room_alarms": Help(
        "Troubles that the room's process tells of now.",
        "Open the wall at /studio, which names each with its remedy; the crew is told by itself.",
    ),
    "source_up": Help(
        "1 while packets of the source come, 0 after a second without.",
        "Call the room: its camera, encoder or network has stopped.",
    ),
    "room_older_epochs": Help(
        "Messages of the room to a former director, which were refused.",
        "Look for a second server on the same database or data folder, if the number grows.",
    ),
    "room_part_cache_evicted": Help(
        "Parts that left the web process's memory early, for want of hls.cache_bytes_per_room.",
        "Raise hls.cache_bytes_per_room if there is memory: else the disk answers.",
    ),
    "room_publications_failed": Help(
        "Publications that did not connect.",
        "Check that UDP reaches ice.port_min to ice.port_max, and ice.announce_addresses behind NAT.",
    ),
    "room_whep_refused": Help(
        "Lowest-latency viewers refused, by whep.max_viewers or max_pending.",
        "Raise whep.max_viewers if the line out and the processor have room.",
    ),
}


def _all() -> Iterator[tuple[str, Help]]:
    for remedy, meanings in _SHARED.items():
        for name, meaning in meanings.items():
            yield name, Help(meaning, remedy)
    yield from _OWN.items()


HELP: Mapping[str, Help] = dict(_all())


def help_of(name: str) -> str:
    """The text of ``# HELP``; for a counter that only a newer room has, its name in words."""
    found = HELP.get(name.removeprefix("streamer_").removesuffix("_total"))
    return " ".join(found) if found is not None else f"{name.replace('_', ' ').capitalize()}."
