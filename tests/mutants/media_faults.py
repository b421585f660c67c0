"""Faults of what the media plane is made of. See ``faults.py``."""

from __future__ import annotations

from tests.mutants.fault import Fault

_FORMATS = "tests/unit/golden/test_media.py"
_MESSAGES = "tests/unit/golden/test_messages.py"

MEDIA_FAULTS = (
    # --- broadcast
    Fault(
        "streamer/broadcast/media_events.py",
        'class SegmentDone(Sequenced, tag="done"):',
        'class SegmentDone(Sequenced, tag="finished"):',
        f"{_MESSAGES}::test_media_events",
        "A media event is told by another tag.",
    ),
    Fault(
        "streamer/broadcast/chunks.py",
        "return index >= 0 and offset < runs[index][1]",
        "return index >= 0 and offset <= runs[index][1]",
        "tests/unit/broadcast/test_chunks.py",
        "The byte after a run counts as one of it.",
    ),
    Fault(
        "streamer/broadcast/segment_table.py",
        "while (msn := next(iter(self._young), first_msn)) < first_msn:",
        "while (msn := next(iter(self._young), first_msn + 1)) <= first_msn:",
        "tests/unit/broadcast/test_view.py::test_trimming_drops_segments_intervals_and_init_references",
        "A window that is trimmed loses one segment too many.",
    ),
    # --- formats
    Fault(
        "streamer/formats/cmaf.py",
        "if min(durations) <= 0:",
        "if min(durations) < 0:",
        "tests/unit/formats/test_cmaf.py::test_samples_that_do_not_follow_one_another_are_refused",
        "A sample without a duration is written.",
    ),
    Fault(
        "streamer/formats/fragments.py",
        "durations = [1] * lead + [frame.duration for frame in frames[lead:]]",
        "durations = [frame.duration for frame in frames]",
        "tests/unit/formats/test_fragments.py::test_pictures_between_two_times[45-150]",
        "What leads in to a cut is shown.",
    ),
    Fault(
        "streamer/formats/index.py",
        "if zlib.crc32(payload) != checksum:",
        "if zlib.crc32(payload) != checksum and at < 0:",
        "tests/unit/formats/test_index.py::test_a_damaged_byte_ends_the_index_there",
        "A damaged record of an index is believed.",
    ),
    Fault(
        "streamer/formats/movie.py",
        'flags = {"text": 0, "subtitle": 2}.get(track.kind, 3)',
        'flags = {"text": 3, "subtitle": 2}.get(track.kind, 3)',
        "tests/unit/golden/test_media.py::test_the_head_of_a_movie",
        "A movie's chapters are shown as subtitles.",
    ),
    Fault(
        "streamer/formats/erasures.py",
        "at_ms: int",
        "asked_ms: int",
        f"{_FORMATS}::test_the_list_of_erasures",
        "A field of the list of erasures has another name.",
    ),
    # --- control
    Fault(
        "streamer/control/messages.py",
        "takeover: bool = False",
        "take_over: bool = False",
        f"{_MESSAGES}::test_control_messages",
        "A field of an offer has another name.",
    ),
    Fault(
        "streamer/control/part_cache.py",
        "self._items.move_to_end(place)",
        "self._items.move_to_end(place, last=False)",
        "tests/unit/control/test_framing.py::test_the_part_cache_forgets_the_longest_unused",
        "What was asked for last is forgotten first.",
    ),
    Fault(
        "streamer/control/outbound.py",
        "self._queue.popleft()",
        "self._queue.pop()",
        "tests/unit/control/test_server.py::test_requests_are_answered_while_others_wait",
        "A slow reader is sent the newest first.",
    ),
    Fault(
        "streamer/control/process_files.py",
        'write_atomically(path, settings.model_dump_json(exclude={"admin_token"}).encode())',
        "write_atomically(path, settings.model_dump_json().encode())",
        "tests/unit/golden/test_stored.py::test_the_settings_that_processes_are_started_with",
        "The admin token is left on the disk.",
    ),
    # --- rtc
    Fault(
        "streamer/rtc/gate.py",
        "if len(datagram) > MAX_DATAGRAM:",
        "if len(datagram) > 2 * MAX_DATAGRAM:",
        "tests/unit/rtc/test_hostile_rtp.py::test_the_gate_knows_size_rate_and_sources",
        "Datagrams larger than the buffer are let in.",
    ),
    Fault(
        "streamer/rtc/jitter.py",
        "if extended < self._next or extended in self._buffer:",
        "if extended in self._buffer:",
        "tests/unit/rtc/test_jitter.py::test_what_comes_too_late_or_twice_is_counted_and_dropped",
        "A packet whose place was given up is taken all the same.",
    ),
    Fault(
        "streamer/rtc/payloads.py",
        "if nal[0] & 0x1F == NAL_AUD:",
        "if nal[0] & 0x1F == NAL_SEI:",
        "tests/unit/rtc/test_payloads.py::test_delimiters_are_not_sent",
        "Delimiters are sent for notes.",
    ),
    # --- media
    Fault(
        "streamer/media/switch.py",
        "return bool(state and state.connected and state.video_ns and now_ns - state.video_ns < self.silence_ns)",
        "return bool(state and state.connected and state.video_ns)",
        "tests/unit/media/test_switch.py",
        "A camera that fell silent keeps the programme.",
    ),
    Fault(
        "streamer/media/timeline.py",
        "return cls(epoch_ms, now_ns, max((now_ms - epoch_ms) * TICKS_PER_MS, end_ticks))",
        "return cls(epoch_ms, now_ns, (now_ms - epoch_ms) * TICKS_PER_MS)",
        "tests/unit/media/test_timeline.py::test_a_broadcast_that_goes_on_never_steps_back_even_if_the_machines_clock_did",
        "A broadcast that goes on after a crash may step back.",
    ),
    Fault(
        "streamer/broadcast/conditions.py",
        "return max(CLEAR_TIMES * self.on_ms, CLEAR_LEAST_S * 1000)",
        "return CLEAR_TIMES * self.on_ms",
        "tests/unit/broadcast/test_troubles.py",
        "Dead sound is well again after nine seconds.",
    ),
    Fault(
        "streamer/broadcast/troubles.py",
        "if at_ms - max(sound_ms or 0, picture_ms or 0) >= NO_PACKETS_MS:",
        "if at_ms - max(sound_ms or 0, picture_ms or 0) >= 9 * NO_PACKETS_MS:",
        "tests/unit/broadcast/test_troubles.py",
        "A source that is gone is told as a dead microphone.",
    ),
    Fault(
        "streamer/media/presence.py",
        "self.up, self.since_ms, self.stopped_ms = False, None, self._heard_ms",
        "self.up, self.since_ms, self.stopped_ms = False, None, heard_ms",
        "tests/unit/media/test_presence.py",
        "When media stopped is not kept.",
    ),
    # --- notify
    Fault(
        "streamer/notify/web_push.py",
        'claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int(time.time()) + TOKEN_S, "sub": contact}',
        'claims = {"aud": endpoint, "exp": int(time.time()) + TOKEN_S, "sub": contact}',
        "tests/unit/notify/test_web_push.py",
        "A push service is shown a token for one subscription's address.",
    ),
    Fault(
        "streamer/notify/web_push.py",
        'return header + AESGCM(content_key).encrypt(nonce, message + b"\\x02", None)',
        'return header + AESGCM(content_key).encrypt(nonce, message + b"\\x01", None)',
        "tests/unit/notify/test_web_push.py",
        "A push says that another record follows.",
    ),
    # --- room
    Fault(
        "streamer/room/slate_words.py",
        "said.append(countdown(config.language, slate.until_ms - at_ms))",
        "said.append(countdown(config.language, slate.until_ms))",
        "tests/unit/room/test_orders.py::test_the_slate_says_what_is_ordered_and_how_long_it_is_until_then",
        "The slate counts down from 1970.",
    ),
    Fault(
        "streamer/room/whep_places.py",
        "if self.connected + self.pending.of(offer.household) >= self.most:",
        "if self.connected > self.most:",
        "tests/unit/room/test_whep_places.py::test_a_hall_may_have_all_places_and_a_full_room_still_has_its_crews",
        "Places are promised that there are not.",
    ),
    # --- host
    Fault(
        "streamer/host/memory.py",
        "killed = _oom_kills(group) > self._killed_before.pop(room, 0)",
        "killed = _oom_kills(group) > 0",
        "tests/unit/host/test_memory.py::test_a_service_that_may_divide_its_group_gives_each_room_one",
        "A former process's end is told as this one's.",
    ),
    Fault(
        "streamer/host/supervisor.py",
        "if config != self.config:",
        "if config == self.config:",
        "tests/unit/host/test_media_host.py::test_a_new_config_reaches_the_room_and_the_disk",
        "A room's new settings are kept from it.",
    ),
    # --- publish
    Fault(
        "streamer/publish/testcard.py",
        "return ms if crc == _crc(ms) else None",
        "return ms",
        "tests/unit/publish/test_testcard.py::test_one_wrong_cell_is_no_other_time",
        "A time that was misread is believed.",
    ),
    Fault(
        "streamer/publish/publisher.py",
        "sender.push(encoded.data, encoded.media_us, key=encoded.key)",
        "sender.push(encoded.data, encoded.media_us // 1000, key=encoded.key)",
        "tests/unit/publish/test_publisher.py::test_the_card_arrives_with_the_time_that_its_clock_says",
        "Times are sent in milliseconds for microseconds.",
    ),
)
