"""Faults of one line, each of which a test catches: wrong bounds and units, swapped orders, checks and rights left out.

``before`` and ``after`` are without indentation; ``before`` stands exactly once in the module. Whoever changes such a
line moves the fault to where the rule stands now.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    module: str
    before: str
    after: str
    test: str
    """What catches it, as pytest names it; by itself it takes a few seconds."""
    about: str


_FORMATS = "tests/unit/golden/test_media.py"
_MESSAGES = "tests/unit/golden/test_messages.py"

FAULTS = (
    # --- broadcast
    Fault(
        "streamer/conference/media_events.py",
        'class SegmentDone(Sequenced, tag="done"):',
        'class SegmentDone(Sequenced, tag="finished"):',
        f"{_MESSAGES}::test_media_events",
        "A media event is told by another tag.",
    ),
    Fault(
        "streamer/conference/chunks.py",
        "return index >= 0 and offset < runs[index][1]",
        "return index >= 0 and offset <= runs[index][1]",
        "tests/unit/conference/test_chunks.py",
        "The byte after a run counts as one of it.",
    ),
    Fault(
        "streamer/conference/track_view.py",
        "if not chunk.file or chunk.file != first.file or chunk.offset != end:",
        "if not chunk.file or chunk.file != first.file:",
        "tests/unit/conference/test_view.py",
        "Parts that do not lie side by side are merged.",
    ),
    # --- formats
    Fault(
        "streamer/media/cmaf.py",
        "if min(durations) <= 0:",
        "if min(durations) < 0:",
        "tests/unit/media/test_cmaf.py",
        "A sample without a duration is written.",
    ),
    Fault(
        "streamer/media/fragments.py",
        "durations = [1] * lead + [frame.duration for frame in frames[lead:]]",
        "durations = [frame.duration for frame in frames]",
        "tests/unit/media/test_fragments.py",
        "What leads in to a cut is shown.",
    ),
    Fault(
        "streamer/media/index.py",
        "if zlib.crc32(payload) != checksum:",
        "if zlib.crc32(payload) != checksum and at < 0:",
        "tests/unit/media/test_index.py",
        "A damaged record of an index is believed.",
    ),
    Fault(
        "streamer/media/movie.py",
        'flags = {"text": 0, "subtitle": 2}.get(track.kind, 3)',
        'flags = {"text": 3, "subtitle": 2}.get(track.kind, 3)',
        _FORMATS,
        "A movie's chapters are shown as subtitles.",
    ),
    Fault(
        "streamer/media/erasures.py",
        "at_ms: int",
        "asked_ms: int",
        f"{_FORMATS}::test_the_list_of_erasures",
        "A field of the list of erasures has another name.",
    ),
    # --- control
    Fault(
        "streamer/room/protocol.py",
        "takeover: bool = False",
        "take_over: bool = False",
        f"{_MESSAGES}::test_control_messages",
        "A field of an offer has another name.",
    ),
    Fault(
        "streamer/room/part_cache.py",
        "self._items.move_to_end(place)",
        "self._items.move_to_end(place, last=False)",
        "tests/unit/room/test_client.py",
        "What was asked for last is forgotten first.",
    ),
    Fault(
        "streamer/room/outbound.py",
        "self._queue.popleft()",
        "self._queue.pop()",
        "tests/unit/room/test_control.py",
        "A slow reader is sent the newest first.",
    ),
    # --- rtc
    Fault(
        "streamer/room/gate.py",
        "if len(datagram) > MAX_DATAGRAM:",
        "if len(datagram) > 2 * MAX_DATAGRAM:",
        "tests/unit/room/test_hostile_rtp.py",
        "Datagrams larger than the buffer are let in.",
    ),
    Fault(
        "streamer/room/jitter.py",
        "if extended < self._next or extended in self._buffer:",
        "if extended in self._buffer:",
        "tests/unit/room/test_jitter.py",
        "A packet whose place was given up is taken all the same.",
    ),
    Fault(
        "streamer/room/payloads.py",
        "if len(nal) != size:",
        "if len(nal) > size:",
        "tests/unit/room/test_payloads.py",
        "An aggregate that is cut short is taken.",
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
        "streamer/media/grid.py",
        "return self.aim * 17 // 20",
        "return self.aim * 19 // 20",
        "tests/unit/media/test_timeline.py",
        "A segment ends later than at the first key frame that may end it.",
    ),
    Fault(
        "streamer/media/presence.py",
        "self.up, self.since_ms, self.stopped_ms = False, None, self._heard_ms",
        "self.up, self.since_ms, self.stopped_ms = False, None, heard_ms",
        "tests/unit/media/test_presence.py",
        "When media stopped is not kept.",
    ),
    # --- room
    Fault(
        "streamer/room/duels.py",
        "return dispute is not None and sum(now_ns - at < WINDOW_NS for at in dispute.attempts) >= TAKEOVERS",
        "return dispute is not None and sum(now_ns - at < WINDOW_NS for at in dispute.attempts) > TAKEOVERS",
        "tests/unit/room/test_publications.py",
        "A duel is let go on for one takeover more.",
    ),
    Fault(
        "streamer/room/whep_places.py",
        "if self.connected + self.pending.of(offer.household) >= self.most:",
        "if self.connected > self.most:",
        "tests/unit/room/test_whep_places.py",
        "Places are promised that there are not.",
    ),
    # --- host
    Fault(
        "streamer/room/memory.py",
        "killed = _oom_kills(group) > self._killed_before.pop(room, 0)",
        "killed = _oom_kills(group) > 0",
        "tests/unit/room/test_memory.py",
        "A former process's end is told as this one's.",
    ),
    Fault(
        "streamer/room/spawn.py",
        "return config if config.id == room else None",
        "return config",
        "tests/unit/room/test_epochs.py",
        "A room is started with another's config.",
    ),
    # --- publish
    Fault(
        "streamer/room/testcard.py",
        "return ms if crc == _crc(ms) else None",
        "return ms",
        "tests/unit/room/test_testcard.py",
        "A time that was misread is believed.",
    ),
    Fault(
        "streamer/room/publisher.py",
        "sender.push(encoded.data, encoded.media_us, key=encoded.key)",
        "sender.push(encoded.data, encoded.media_us // 1000, key=encoded.key)",
        "tests/unit/room/test_publisher.py",
        "Times are sent in milliseconds for microseconds.",
    ),
    # --- planning
    Fault(
        "streamer/api/fetching.py",
        "if len(out) > max_bytes:",
        "if len(out) > max_bytes * max_bytes:",
        "tests/unit/api/test_fetching.py",
        "A small answer may become a large one in memory.",
    ),
    Fault(
        "streamer/schedules/rights.py",
        "if not may_plan_in(holder, Target(room=room.id, venue=room.venue), event.venue):",
        "if False:",
        "tests/unit/schedules/test_rights.py",
        "An import puts sessions into rooms that whoever imports may not plan in.",
    ),
    # --- cli
    Fault(
        "streamer/settings_file.py",
        "case bool():",
        "case None:",
        "tests/unit/settings/test_settings.py",
        "The settings' manual says True for true.",
    ),
    Fault(
        "streamer/granting.py",
        "await Logins(connection).remove_of_grant(None)",
        "await Logins(connection).sweep(0)",
        "tests/unit/cli/test_commands.py",
        "Logins by the old password go on.",
    ),
    # --- web
    Fault(
        "streamer/connections.py",
        "if self.shares.of(most) > self.shares.of(household):",
        "if self.shares.of(most) < self.shares.of(household):",
        "tests/unit/test_connections.py",
        "A full server takes the place of whoever has least.",
    ),
    Fault(
        "streamer/http_server.py",
        'return "cut_headers_total" if self._spoken else "cut_idle_total"',
        'return "cut_idle_total" if self._spoken else "cut_headers_total"',
        "tests/unit/test_http_server.py",
        "Why a connection was cut is told wrong.",
    ),
    # --- conference
    Fault(
        "streamer/conference/grants.py",
        "self.ends_ms is None or now_ms < self.ends_ms",
        "self.ends_ms is None or now_ms <= self.ends_ms + 1000",
        "tests/unit/conference/test_grants.py",
        "A grant is good past its end.",
    ),
    Fault(
        "streamer/conference/visibility.py",
        "if session.visibility is Visibility.UNLISTED and session.id in caller.links:",
        "if session.visibility is not Visibility.PUBLIC and session.id in caller.links:",
        "tests/unit/conference/test_visibility.py",
        "An old link opens a session that became private.",
    ),
    Fault(
        "streamer/conference/delays.py",
        "end_ms=pause.end_ms + left_ms,",
        "end_ms=pause.end_ms + by_ms,",
        "tests/unit/conference/test_delays.py",
        "A break absorbs nothing of a delay.",
    ),
    # --- schedules
    Fault(
        "streamer/schedules/applying.py",
        'if item.blocked or (item.needs_yes and accept != "all" and item.key not in accept):',
        'if item.needs_yes and accept != "all" and item.key not in accept:',
        "tests/unit/schedules/test_compare.py",
        "What an import may not do is done.",
    ),
    Fault(
        "streamer/schedules/recurrence.py",
        "end = max(start, min(until, horizon)) if until is not None else horizon",
        "end = horizon",
        "tests/unit/schedules/test_read_ical.py",
        "A rule's end is not kept to.",
    ),
    Fault(
        "streamer/schedules/times.py",
        "if len(found[1]) == 1 and second < 24 and first > 0:",
        "if second < 24 and first > 0:",
        "tests/unit/schedules/test_read_frab.py",
        "An hour and a half lasts a day and a half.",
    ),
    Fault(
        "streamer/schedules/importer.py",
        "if make_rooms and may_make_rooms(holder, where):",
        "if make_rooms:",
        "tests/unit/api/test_imports.py",
        "An import makes rooms that whoever imports may not make.",
    ),
    # --- director
    Fault(
        "streamer/director/directorship.py",
        "return (seen.epoch, seen.holder) == (self._me.epoch, self._me.holder)",
        "return seen.epoch <= self._me.epoch",
        "tests/unit/director/test_directorship.py",
        "Who directs is not seen to have changed.",
    ),
    Fault(
        "streamer/director/config.py",
        'return tuple(str(folder / name) for name in names if "/" not in name)[:MAX_LOGOS]',
        "return tuple(str(folder / name) for name in names)[:MAX_LOGOS]",
        "tests/unit/director/test_director.py",
        "A logo's name leads out of its folder.",
    ),
    # --- delivery
    Fault(
        "streamer/delivery/hold.py",
        "if wanted.msn > output.last_complete_msn + MSN_AHEAD:",
        "if wanted.msn > output.last_complete_msn + MSN_AHEAD * 100:",
        "tests/unit/delivery/test_hold.py",
        "A request may wait for what comes in minutes.",
    ),
    Fault(
        "streamer/delivery/parts.py",
        "if not data or len(data) > end - offset:",
        "if not data:",
        "tests/unit/delivery/test_parts.py",
        "More bytes are sent than the part has.",
    ),
    # --- audience
    Fault(
        "streamer/audience/chat.py",
        "if earlier == text and abs(now_ms - at_ms) < REPEAT_MS:",
        "if earlier == text and abs(now_ms - at_ms) < REPEAT_MS // 1000:",
        "tests/unit/audience/test_rules.py",
        "The same may be said again at once.",
    ),
    Fault(
        "streamer/audience/deciding.py",
        "if message is None or message.participant != who.id:",
        "if message is None:",
        "tests/unit/audience/test_rules.py",
        "Anybody may withdraw anybody's message.",
    ),
    # --- realtime
    Fault(
        "streamer/realtime/log.py",
        "return self.floor <= since <= self.last",
        "return since <= self.last",
        "tests/unit/realtime/test_log.py",
        "A reader goes on over what was forgotten meanwhile.",
    ),
    Fault(
        "streamer/realtime/rights.py",
        "if target is not None and not grant.covers(target, action):",
        "if target is not None and not grant.covers(target, action) and grant.venue is None:",
        "tests/unit/realtime/test_namespaces.py",
        "A venue's crew commands another venue's rooms.",
    ),
    # --- api
    Fault(
        "streamer/api/cookies.py",
        'bound_to = admin_token if secret.startswith(_BOUND) else ""',
        'bound_to = ""',
        "tests/unit/api/test_login.py",
        "A login by an admin token outlives the token.",
    ),
    Fault(
        "streamer/api/limits.py",
        "tokens = min(self._size, tokens + (now - at) * self._per_s)",
        "tokens = tokens + (now - at) * self._per_s",
        "tests/unit/api/test_limits.py",
        "Who was quiet for long may do more at once than the limit.",
    ),
    # --- archive
    Fault(
        "streamer/archive/editions.py",
        "if not ends or max(ends) < end_ms - LAG_MS:",
        "if not ends:",
        "tests/unit/archive/test_editions.py",
        "An edition waits for media that stopped before its end.",
    ),
    Fault(
        "streamer/archive/retention.py",
        "if entry is None or recording is None or recording.pinned:",
        "if entry is None or recording is None:",
        "tests/unit/archive/test_archivist.py",
        "A recording that was pinned meanwhile is deleted.",
    ),
    # --- store
    Fault(
        "streamer/store/mapping.py",
        "return tuple(_tuples(item) for item in value) if isinstance(value, list) else value",
        "return tuple(value) if isinstance(value, list) else value",
        "tests/unit/store/test_mapping.py",
        "Pairs in a column come back as lists.",
    ),
    Fault(
        "streamer/store/text.py",
        'return text.replace("\\0", "\\ufffd").encode("utf-8", "replace").decode("utf-8")',
        'return text.encode("utf-8", "replace").decode("utf-8")',
        "tests/unit/store/test_mapping.py",
        "A zero byte goes to the database.",
    ),
    # --- observe
    Fault(
        "streamer/observe/logs.py",
        'event[key] = "…"',
        "event[key] = event[key]",
        "tests/unit/observe/test_logs.py",
        "Tokens are written to the log.",
    ),
    Fault(
        "streamer/observe/metrics.py",
        'method = method if method in _METHODS else "other"',
        "method = method.upper()",
        "tests/unit/observe/test_metrics.py",
        "A client makes new series as it likes.",
    ),
    # --- top level
    Fault(
        "streamer/conference/shares.py",
        "return self._by_key[key] + size <= self.free",
        "return self.taken + size <= self.total",
        "tests/unit/conference/test_shares.py",
        "One household takes all places.",
    ),
    Fault(
        "streamer/conference/household.py",
        "IPV6_BITS = 56",
        "IPV6_BITS = 128",
        "tests/unit/conference/test_household.py",
        "Each address of a household has a limit of its own.",
    ),
)
