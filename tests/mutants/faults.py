"""Faults of one line, each of which a test catches: wrong bounds and units, swapped orders, missing checks and rights.

``before`` and ``after`` are without indentation; ``before`` stands exactly once in the module. Move the fault along
when you change its line.
"""

from __future__ import annotations

from tests.mutants.fault import Fault
from tests.mutants.media_faults import MEDIA_FAULTS

FAULTS = (
    *MEDIA_FAULTS,
    # --- bus
    Fault(
        "streamer/bus/local.py",
        'if error.code in ("connection_lost", "timed_out"):',
        'if error.code == "connection_lost":',
        "tests/unit/bus/test_contract.py::test_a_request_that_takes_too_long_ends_and_its_answer_disturbs_no_other",
        "An answer that does not come in time is another error than a bus that is lost.",
    ),
    Fault(
        "streamer/bus/local.py",
        "for subject in [subject for subject, hearing in self._hearing.items() if hearing is out]:",
        "for subject in ():",
        "tests/unit/bus/test_local.py::test_the_core_learns_at_once_that_a_front_has_gone",
        "The clients of a killed front process stay in.",
    ),
    Fault(
        "streamer/bus/nats_connection.py",
        'if self._access.url.startswith("tls:") and not self._server_info.get("tls_required"):',
        "if False:",
        "tests/unit/bus/test_nats.py::test_what_is_wrong_with_a_server_is_said_in_words",
        "A password is sent in clear to a server that says that it has no TLS.",
    ),
    Fault(
        "streamer/bus/over_nats.py",
        "if self._out_bytes + len(data) > OUT_BYTES:",
        "if False:",
        "tests/unit/bus/test_nats.py::test_a_frozen_server_is_given_up_and_holds_nothing",
        "What a frozen NATS server does not take fills the memory.",
    ),
    Fault(
        "streamer/realtime/in_front.py",
        "if told.number != self._heard + 1:",
        "if False:",
        "tests/unit/realtime/test_fronts.py::test_a_lost_message_is_noticed_and_nothing_is_lost_or_doubled",
        "A message that the bus lost is missing for good.",
    ),
    # --- planning
    Fault(
        "streamer/planning/fetch.py",
        "if len(out) > max_bytes:",
        "if len(out) > max_bytes * max_bytes:",
        "tests/unit/planning/test_fetch.py::test_a_bomb_is_stopped_at_the_limit_and_packed_answers_are_unpacked[gzip]",
        "A small answer may become a large one in memory.",
    ),
    Fault(
        "streamer/planning/rights.py",
        "if not may_plan_in(holder, Target(room=room.id, venue=room.venue), event.venue):",
        "if False:",
        "tests/unit/planning/test_rights.py::test_each_item_wants_the_rights_that_it_wants_over_rest",
        "An import puts sessions into rooms that whoever imports may not plan in.",
    ),
    # --- cli
    Fault(
        "streamer/cli/settings_file.py",
        "case bool():",
        "case None:",
        "tests/unit/settings/test_settings.py",
        "The settings' manual says True for true.",
    ),
    Fault(
        "streamer/cli/granting.py",
        "await Grants(connection).add(grant, made.secret_sha256)",
        "await Grants(connection).add(grant, made.secret_sha256[::-1])",
        "tests/unit/cli/test_commands.py::test_a_grant_from_the_command_line_opens_what_it_says",
        "A link that was made opens nothing.",
    ),
    Fault(
        "streamer/store/answers.py",
        "if any(row.fingerprint != once.fingerprint for row in rows):",
        "if False:",
        "tests/unit/audience/test_repeats.py::test_an_id_is_that_of_one_command_of_one_caller",
        "Another command gets the answer of the one whose id it has.",
    ),
    # --- web
    Fault(
        "streamer/web/connections.py",
        "if self.shares.of(most) > self.shares.of(household):",
        "if self.shares.of(most) < self.shares.of(household):",
        "tests/unit/web/test_connections.py",
        "A full server takes the place of whoever has least.",
    ),
    Fault(
        "streamer/web/connections.py",
        "elif not full and shares.of(household) < self._per_household and shares.may(household):",
        "elif not full and shares.may(household):",
        "tests/unit/web/test_connections.py::test_a_bound_per_household_can_be_set",
        "An operator's bound for each household is not kept.",
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
        "streamer/planning/apply.py",
        'if item.blocked or (item.needs_yes and accept != "all" and item.key not in accept):',
        'if item.needs_yes and accept != "all" and item.key not in accept:',
        "tests/unit/schedules/test_compare.py::test_what_is_on_air_stays_in_its_room_and_is_not_cancelled_whatever_anybody_says",
        "What an import may not do is done.",
    ),
    Fault(
        "streamer/schedules/recurrence.py",
        "end = max(start, min(until, horizon)) if until is not None else horizon",
        "end = horizon",
        "tests/unit/schedules/test_read_ical.py::test_rules_of_every_kind",
        "A rule's end is not kept to.",
    ),
    Fault(
        "streamer/schedules/times.py",
        "return first * DAY_MS + second * HOUR_MS + third * MINUTE_MS",
        "return first * HOUR_MS + second * MINUTE_MS + third * 1000",
        "tests/unit/schedules/test_read_frab.py::test_durations_in_every_spelling",
        "A day and two hours last an hour and two minutes.",
    ),
    Fault(
        "streamer/schedules/times.py",
        "if len(found[1]) == 1 and second < 24 and first > 0:",
        "if second < 24 and first > 0:",
        "tests/unit/schedules/test_read_frab.py::test_durations_in_every_spelling",
        "Ten hours and twenty minutes last ten days and twenty hours.",
    ),
    # --- director
    Fault(
        "streamer/director/directorship.py",
        "mine = replace(self._me, epoch=max(seen.epoch, self._floor) + 1, since_ms=self._now_ms())",
        "mine = replace(self._me, epoch=seen.epoch + 1, since_ms=self._now_ms())",
        "tests/unit/director/test_directorship.py::test_rooms_that_obeyed_more_than_an_older_database_knows_obey_its_next_epoch[sqlite]",
        "Over a database of before rooms obey nobody.",
    ),
    Fault(
        "streamer/director/incidents.py",
        "return current(day) if day.hold is not None or day.slate else None",
        "return current(day) if day.hold is not None else None",
        "tests/unit/director/test_withheld.py::test_what_a_technician_covers_is_left_out_of_the_replay_too",
        "A replay shows what a technician had covered.",
    ),
    # --- delivery
    Fault(
        "streamer/delivery/hold.py",
        "if wanted.msn > output.last_complete_msn + MSN_AHEAD:",
        "if wanted.msn > output.last_complete_msn + MSN_AHEAD * 100:",
        "tests/unit/delivery/test_hold.py::test_bad_directives_are_refused_at_once",
        "A request may wait for what comes in minutes.",
    ),
    Fault(
        "streamer/delivery/parts.py",
        "if len(chunks) == 1 and (data := recent((first.file, first.offset))) and len(data) == first.size:",
        "if len(chunks) == 1 and (data := recent((first.file, first.offset))):",
        "tests/unit/delivery/test_parts.py::test_a_cached_part_is_not_taken_for_the_larger_one_at_its_place",
        "A part is served for the segment that begins with it.",
    ),
    Fault(
        "streamer/delivery/parts.py",
        "if not data or len(data) > end - offset:",
        "if not data:",
        "tests/unit/delivery/test_parts.py::test_a_larger_part_is_not_taken_for_the_cached_one_at_its_place",
        "More bytes are served than the part has.",
    ),
    # --- audience
    Fault(
        "streamer/audience/recent_activity.py",
        "if earlier == text and abs(now_ms - at_ms) < REPEAT_MS:",
        "if earlier == text and abs(now_ms - at_ms) < REPEAT_MS // 1000:",
        "tests/unit/audience/test_rules.py::test_texts_that_differ_in_a_character_are_no_repeats",
        "The same may be said again at once.",
    ),
    Fault(
        "streamer/audience/chat.py",
        "if message is None or message.participant != who.id:",
        "if message is None:",
        "tests/unit/audience/test_service.py::test_authors_take_back_their_own_and_nobody_elses",
        "Anybody may withdraw anybody's message.",
    ),
    Fault(
        "streamer/audience/showing.py",
        "hidden = viewpoint is Viewpoint.PUBLIC and poll.prepared",
        "hidden = False",
        "tests/unit/audience/test_polls.py"
        "::test_a_prepared_poll_is_the_moderators_until_it_is_opened_in_the_session_that_is_on",
        "Viewers are told of a poll that is kept for later.",
    ),
    Fault(
        "streamer/audience/records.py",
        "if q.participant == participant and state.focus.has(q) and not q.anonymous",
        "if q.participant == participant and state.focus.has(q)",
        "tests/unit/audience/test_naming.py::test_a_card_has_what_somebody_wrote_in_this_session",
        "A card tells who asked anonymously.",
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
        "streamer/realtime/limits.py",
        "if self._taken[household(address)] >= self._per_address:",
        "if self._taken[household(address)] > self._per_address:",
        "tests/unit/realtime/test_admission.py::test_a_household_has_so_many_places",
        "A household has one connection more than it may.",
    ),
    # --- api
    Fault(
        "streamer/api/cookies.py",
        'bound_to = admin_token if secret.startswith(_BOUND) else ""',
        'bound_to = ""',
        "tests/unit/api/test_login.py::test_a_login_by_the_environments_token_ends_with_that_token",
        "A login by an admin token outlives the token.",
    ),
    Fault(
        "streamer/api/limits.py",
        "if wait_s > 0:",
        "if wait_s > 10:",
        "tests/unit/api/test_limits.py::test_a_bucket_refills_evenly",
        "One event more than the limit is let through.",
    ),
    Fault(
        "streamer/buckets.py",
        "self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)",
        "self._tokens = self._tokens + (now - self._at) * self._per_s",
        "tests/unit/api/test_limits.py::test_who_was_quiet_for_an_hour_may_do_no_more_at_once_than_others",
        "Who was quiet for long may do more at once than the limit.",
    ),
    # --- archive
    Fault(
        "streamer/archive/files.py",
        "VERSION = 1",
        "VERSION = 2",
        "tests/unit/golden/test_media.py::test_files_of_a_recording",
        "Recordings of before are taken for another version's.",
    ),
    Fault(
        "streamer/archive/retention.py",
        "if entry is None or recording is None or recording.pinned:",
        "if entry is None or recording is None:",
        "tests/unit/archive/test_retention.py::test_retention_takes_what_is_old_and_shows_it_before",
        "A recording that was pinned meanwhile is deleted.",
    ),
    # --- backup
    Fault(
        "streamer/backup/restoring.py",
        "for name in (SESSION_KEYS, MARK_NAME):",
        "for name in (MARK_NAME,):",
        "tests/unit/backup/test_backup.py::test_keys_of_closed_sessions_do_not_come_back_and_the_next_director_is_newer",
        "Keys of closed sessions open again after a restore.",
    ),
    Fault(
        "streamer/backup/target.py",
        "if wanted.log != before.log:",
        "if not before.log:",
        "tests/unit/backup/test_backup.py::test_a_file_that_is_missing_passes_only_if_it_was_erased",
        "Erasures since the first backup are not known to the next.",
    ),
    # --- store
    Fault(
        "streamer/api/first_admin_link.py",
        "return self._digest is not None and self._clock() < self._until_ms and secret_matches(secret, self._digest)",
        "return self._digest is not None and secret_matches(secret, self._digest)",
        "tests/unit/api/test_first_admin.py::test_the_link_ends_after_half_an_hour_whatever_happens_to_the_clock",
        "The first admin's link is good for ever.",
    ),
    Fault(
        "streamer/store/grants.py",
        "if grant.role is Role.ADMIN:",
        "if grant.role is Role.ORGANISER:",
        "tests/unit/api/test_first_admin.py",
        "Somebody becomes the first admin where there was one.",
    ),
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
        "tests/unit/observe/test_metrics.py::test_logs_are_json_lines_without_secrets",
        "Tokens are written to the log.",
    ),
    Fault(
        "streamer/observe/metrics.py",
        'method = method if method in _METHODS else "other"',
        "method = method.upper()",
        "tests/unit/observe/test_metrics.py",
        "A client makes new series as it likes.",
    ),
    # --- web
    Fault(
        "streamer/web/front.py",
        "return {name: -(-getattr(section, name) // settings.server.web_processes) for name in limits}",
        "return {name: getattr(section, name) for name in limits}",
        "tests/unit/web/test_front.py::test_a_households_limits_hold_for_all_front_processes_together",
        "Each front process lets in as many as all of them may.",
    ),
    Fault(
        "streamer/web/process.py",
        "if program_files() == files:",
        "if files:",
        "tests/unit/web/test_standby.py",
        "After an upgrade the old program takes over from the old program.",
    ),
    Fault(
        "streamer/web/core.py",
        "if not isinstance(body, bytes) and (body is not None or method not in _SAFE):",
        "if not isinstance(body, bytes) and body is not None:",
        "tests/unit/web/test_front.py::test_a_command_that_may_have_reached_the_core_is_not_sent_twice_and_a_question_is",
        "A command is done twice when the core dies.",
    ),
    Fault(
        "streamer/web/fronts.py",
        "if CLIENT in request.headers:",
        "if not request.headers:",
        "tests/unit/web/test_front.py::test_nobody_outside_speaks_for_a_front_process_or_learns_what_they_tell_each_other",
        "Anybody tells how many watch.",
    ),
    Fault(
        "streamer/api/addresses.py",
        "return request.headers.get(CLIENT, _LOCAL) if self.fronts else _LOCAL",
        "return request.headers.get(CLIENT, _LOCAL)",
        "tests/unit/api/test_limits.py::test_only_the_core_takes_the_word_of_its_unix_socket_on_who_asks",
        "A program on the machine is whoever it says.",
    ),
    # --- top level
    Fault(
        "streamer/shares.py",
        "return self._by_key[key] + size <= self.free",
        "return self.taken + size <= self.total",
        "tests/unit/test_shares.py",
        "One household takes all places.",
    ),
    Fault(
        "streamer/household.py",
        "IPV6_BITS = 56",
        "IPV6_BITS = 128",
        "tests/unit/test_household.py",
        "Each address of a household has a limit of its own.",
    ),
)
