"""The audience's rules as values: texts, words, floods, the order of questions, addresses, sessions."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.audience import texts
from streamer.audience.address_holds import exempt, prefix_of
from streamer.audience.identity import Identities
from streamer.audience.look_alikes import look_of, same_look, skeleton
from streamer.audience.presence import CLAIM_MS, Tallies
from streamer.audience.question_order import ordered, tally, voted, voters
from streamer.audience.recent_activity import RecentActivities, RecentActivity, admit, admit_reaction
from streamer.audience.scope import GRACE_MS, Scope, focus, media_time, session_at
from streamer.audience.word_lists import WORD_LISTS, words_in
from streamer.audience.words import blocked
from streamer.conference.participation import Question, QuestionOrder, QuestionState
from streamer.errors import StreamerError
from tests.fakes.talkers import START_MS, closed, talk

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


# --- texts ------------------------------------------------------------------------------------------


def _left_open(text: str) -> list[str]:
    """The characters that would close the reading directions that the text leaves open; none is closed that is not
    open."""
    depth: list[str] = []
    for character in text:
        if character in "\u202a\u202b\u202d\u202e":
            depth.append("\u202c")
        elif character in "\u2066\u2067\u2068":
            depth.append("\u2069")
        elif character in "\u202c\u2069":
            assert depth.pop() == character
    return depth


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("  a\u0000b\tc\r\nd  ", "ab c d"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("=1+1", "=1+1"),
        ("👩‍👩‍👧 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩‍👩‍👧 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
        ("\x1b[31mred", "[31mred"),
        ("a\ud800b", "ab"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("Z" + "\u0335" * 50, "Z" + "\u0335" * 4),
        ("abc\u202etxt.exe", "\u2068abc\u202etxt.exe\u202c\u2069"),
        ("\u2069\u202cabc", "\u2068abc\u2069"),
        ("new \U0001faea\U0001faff", "new \U0001faea\U0001faff"),
        ("no letter \U00050000", "no letter"),
    ],
)
def test_texts_are_cleaned_and_stay_text(text: str, out: str) -> None:
    assert texts.cleaned(text) == out


@given(st.text())
def test_a_cleaned_text_is_clean_storable_and_leaves_the_line_as_it_was(text: str) -> None:
    out = texts.cleaned(text)
    assert out.encode("utf-8").decode("utf-8") == out
    assert not any(ord(c) < 32 or ord(c) == 127 for c in out)
    assert _left_open(out) == []
    if any(character in BIDI for character in out):
        assert (out[0], out[-1]) == ("\u2068", "\u2069")


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u200b", "\u3164", "\u0000", "\u202e\u202c", "\u0301"])
def test_what_shows_nothing_is_empty(text: str) -> None:
    with pytest.raises(StreamerError) as caught:
        texts.checked(text, 200)
    assert caught.value.code == "empty_text"


@given(st.text(alphabet=st.sampled_from("ab \u202e\u2066\u2069\u202c\u0301"), max_size=120))
def test_what_is_cut_short_leaves_the_line_as_it_was_too(text: str) -> None:
    out = texts.shortened(text, 40)
    assert _left_open(out) == []
    assert sum(character not in BIDI for character in out) <= 40


def test_a_name_that_turns_the_line_around_does_so_for_itself_alone() -> None:
    assert texts.shortened("U\u202e" + "x" * 38, 40) == "\u2068U\u202e" + "x" * 38 + "\u202c\u2069"
    assert texts.shortened("a\u0000" * 60, 40) == "a" * 40
    assert texts.visible("\U0001faea")


def test_lengths_are_of_what_is_shown() -> None:
    assert texts.checked("x" * 200, 200) == "x" * 200
    assert len(texts.checked(" " * 300 + "x" * 200, 200)) == 200
    for text in ("x" * 201, "x" * 100_000):
        with pytest.raises(StreamerError) as caught:
            texts.checked(text, 200)
        assert caught.value.code == "too_long"


# --- words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "you IDIOT",
        "idi0t",
        "іdіоt",
        "ιδιοτ",
        "ｉｄｉｏｔ",
        "ídïòt",
        "i\u200bd\u200bi\u200bo\u200bt",
        "i d i o t",
        "i.d.i.o.t!",
        "iiidiooooot",
        "|d!ot",
        "«idiot»",
        "𝓲𝓭𝓲𝓸𝓽",
        "ⓘⓓⓘⓞⓣ",
    ],
)
def test_a_blocked_word_is_found_behind_look_alikes(text: str) -> None:
    assert blocked(text, ("idiot",)) == "idiot"


@pytest.mark.parametrize("text", ["idiotic", "an idea", "1 d 2", "", "i do it", "péridiot"])
def test_other_words_are_not_blocked(text: str) -> None:
    assert blocked(text, ("idiot",)) is None


def test_a_text_that_unfolds_costs_no_more_than_a_look_at_each_word() -> None:
    words = tuple(f"word{number}" for number in range(500))
    long = texts.cleaned("\ufdfa" * 500)
    blocked("warm up", words)
    began = time.process_time()
    assert blocked(long, words) is None
    # It took a second, in which nobody else had an answer.
    assert time.process_time() - began < 0.2
    assert blocked(f"{long} w0rd498", words) == "word498"
    assert blocked(f"{long} word1 then word2", ("word1 then word2", "word2 then")) == "word1 then word2"


def test_phrases_other_scripts_and_odd_words() -> None:
    assert blocked("Go  to HELL now", ("nope", "go to hell")) == "go to hell"
    assert blocked("это дурак тут", ("дурак",)) == "дурак"
    assert blocked("anything", ("", "  ", "!!")) is None


def test_a_word_is_found_in_the_plural_drawn_out_and_in_pieces() -> None:
    for text in ("idiots!", "i di ot", "IDIOOOTS", "1d10ts"):
        assert blocked(text, ("idiot",)) == "idiot", text
    assert blocked("an idiot", ("idiots",)) == "idiots"
    assert blocked("les bateaux", ("bateau",)) == "bateau"
    assert blocked("two bunnies", ("bunny",)) == "bunny"
    for text in ("gotohell", "go-to-hell", "g o t o h e l l", "gooo to hellllll"):
        assert blocked(text, ("nope", "go to hell")) == "go to hell", text


ORDINARY = (
    "Scunthorpe, Essex and Penistone",
    "the pen is mightier",
    "a therapist assesses the class",
    "as usual, Dickens with a cocktail",
    "je suis en retard, passe-moi le sel",
    "pros and cons of a guitar pedal",
    "un bas tarif, un concours, une analyse, des putois",
    "shiitake",
    "la mer des Caraïbes, vue de la Salle Blanc",
    "je ne gros pas",
    "Nikolai Gogol by Dick Van Dyke: spic and span, une tapette à souris",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_lists_of_words_find_none_in_ordinary_sentences(text: str) -> None:
    assert blocked(text, words_in(WORD_LISTS)) is None


def test_lists_of_words_are_by_language() -> None:
    assert blocked("quels connards", words_in(("fr",))) == "connard"
    assert blocked("quels connards", words_in(("en",))) is None
    assert blocked("you ass hole", words_in(("en",))) == "asshole"
    assert words_in(()) == words_in(("tlh",)) == ()
    for language in WORD_LISTS:
        listed = words_in((language,))
        assert list(listed) == sorted(set(listed)), "in order, each once"
        assert all(blocked(word, listed) is not None for word in listed)


# --- names ------------------------------------------------------------------------------------------


def test_names_are_compared_as_a_reader_sees_them() -> None:
    assert skeleton("ѕсоре") == skeleton("scope")  # UTS 39's own example
    for name in ("M0dérateur", "MODERATEUR", "Мodеrаteur", "ｍｏｄｅｒａｔｅｕｒ", "mo de\u200brateur", "rnoderateur"):
        assert same_look(name, "moderateur"), name
    assert same_look("ADMlN", "Admin")
    assert same_look("Α.d.m.ı.n", "admin")
    assert same_look("PauI MARTIN", "Paul Martin")
    for name, other in (("Adam", "admin"), ("Paul", "Paul Martin"), ("Paula Martin", "Paul Martin"), ("👏", "🎉")):
        assert not same_look(name, other), name
    assert look_of("Zoé") != look_of("Zoe")
    assert look_of("ada  lovelace") == look_of("Ada Lovelace")
    assert look_of("👏") != look_of("🎉")


# --- floods -----------------------------------------------------------------------------------------


def send(activity: RecentActivity, text: str, now_ms: int, slow: int | None = None) -> tuple[str, int] | None:
    try:
        admit(activity, text, now_ms, slow)
    except StreamerError as error:
        return error.code, int(error.headers["Retry-After"])
    return None


def test_the_pause_grows_and_is_forgiven() -> None:
    activity, now, pauses = RecentActivity(), START_MS, []
    for burst in range(7):
        for number in range(3):
            assert send(activity, f"{burst} {number}", now) is None
        refused = send(activity, f"{burst} x", now + 1999)
        assert refused is not None
        pauses.append(refused[1])
        # Asking again meanwhile makes it no longer.
        assert send(activity, f"{burst} y", now + 1999 + 500) is not None
        now += 1999 + refused[1] * 1000
    assert pauses == [2, 4, 8, 16, 32, 60, 60]
    now += 60_001
    for number in range(3):
        assert send(activity, f"later {number}", now) is None
    assert send(activity, "later x", now) == ("flood", 2)


def test_texts_that_differ_in_a_character_are_no_repeats() -> None:
    activity = RecentActivity()
    assert send(activity, "bravo", 0) is None
    assert send(activity, "bravo!", 3000) is None
    assert send(activity, "Bravo", 6000) is None
    assert send(activity, "bravo", 9000) == ("repeated", 21)
    assert send(activity, "bravo", 30_000) is None


@given(st.lists(st.integers(0, 900), min_size=1, max_size=60))
def test_no_two_seconds_hold_more_than_three(gaps: list[int]) -> None:
    activity, now, taken = RecentActivity(), START_MS, []
    for number, gap in enumerate(gaps):
        now += gap
        if send(activity, str(number), now) is None:
            taken.append(now)
    for index, at_ms in enumerate(taken):
        assert sum(at_ms <= other < at_ms + 2000 for other in taken[index:]) <= 3
    assert len(taken) >= min(3, len(gaps))


def test_a_clock_that_is_put_back_keeps_nobody_waiting() -> None:
    activity = RecentActivity()
    for second in range(10):
        admit_reaction(activity, START_MS + second)
    admit(activity, "before", START_MS, 30)
    earlier_ms = START_MS - 3_600_000
    admit(activity, "after", earlier_ms, 30)
    admit_reaction(activity, earlier_ms)
    tallies = Tallies()
    tallies.claim("q", "mo", "Mo", START_MS, True)
    assert tallies.claim("q", "max", "Max", earlier_ms, True) == earlier_ms + CLAIM_MS
    assert tallies.trouble("no_sound", "ann", START_MS) == 1
    assert tallies.trouble("no_sound", "ben", earlier_ms) == 1


def test_the_activity_of_those_who_left_is_forgotten() -> None:
    known = RecentActivities(most=10)
    for number in range(100):
        known.of(str(number))
    assert len(known) == 10


# --- the order of questions -------------------------------------------------------------------------


def asked(question_id: str, place: str = "", asker: str | None = None, minute: int = 0, **fields: object) -> Question:
    made = Question(
        question_id, "hall", "hall", None, asker or question_id, "", "", place, "?", START_MS + minute * 60_000, 0
    )
    return replace(made, **{"state": QuestionState.APPROVED, **fields})  # type: ignore[arg-type]


QUESTIONS = st.lists(
    st.tuples(
        st.sampled_from(["", "hall", "Rennes", "remote"]),
        st.sampled_from(["a", "b", "c", "d", "e"]),
        st.integers(0, 40),
        st.sampled_from(list(QuestionState)),
        st.integers(0, 9),
    ),
    max_size=25,
)


@given(QUESTIONS, st.randoms(use_true_random=False), st.sampled_from(list(QuestionOrder)))
def test_the_order_is_the_same_whatever_order_the_questions_come_in(rows, chance, by) -> None:  # type: ignore[no-untyped-def]
    questions = [
        asked(f"q{n}", place, asker, minute, state=state) for n, (place, asker, minute, state, _) in enumerate(rows)
    ]
    tally = {f"q{n}": votes for n, (*_, votes) in enumerate(rows)}
    order = ordered(questions, tally, START_MS + 3_600_000, by)
    mixed = list(questions)
    chance.shuffle(mixed)
    assert ordered(mixed, tally, START_MS + 3_600_000, by) == order
    assert sorted(order) == sorted(q.id for q in questions if q.state is QuestionState.APPROVED)


@given(QUESTIONS)
def test_each_place_gets_its_turn_before_any_gets_a_second(rows) -> None:  # type: ignore[no-untyped-def]
    questions = [asked(f"q{n}", place, asker, minute) for n, (place, asker, minute, _, _) in enumerate(rows)]
    tally = {f"q{n}": votes for n, (*_, votes) in enumerate(rows)}
    places = {q.id: q.place.casefold() for q in questions}
    order = [places[one] for one in ordered(questions, tally, START_MS + 3_600_000)]
    different = len(set(places.values()))
    assert len(set(order[:different])) == different


@given(st.data())
def test_votes_are_counted_alike_for_one_question_and_for_all(data: st.DataObject) -> None:
    ids = [f"q{number}" for number in range(data.draw(st.integers(1, 6)))]
    into = {one: data.draw(st.sampled_from([None, "gone", *ids[:2]])) for one in ids[2:]}
    asked = {
        one: Question(one, "hall", "hall", None, "p", "", "", "", "?", 0, 0, merged_into=into.get(one)) for one in ids
    }
    votes = {one: data.draw(st.sets(st.sampled_from("abc"))) for one in ids if data.draw(st.booleans())}
    united = {one: voters(one, asked, votes) for one in ids}
    assert tally(asked, votes) == {one: len(who) for one, who in united.items()}
    for who in "abc":
        assert voted(who, asked, votes) == {one for one in ids if who in united[one]}


def test_first_time_askers_come_before_those_who_had_a_turn() -> None:
    had = asked("done", asker="ann", state=QuestionState.ANSWERED, staged_ms=START_MS)
    again, new = asked("again", asker="ann", minute=1), asked("new", asker="ben", minute=1)
    assert ordered([had, again, new], {"again": 3}, START_MS + 120_000) == ["new", "again"]
    assert ordered([had, again, new], {"again": 9}, START_MS + 120_000) == ["again", "new"]
    assert ordered([had, again, new], {"again": 3}, START_MS, QuestionOrder.VOTES) == ["again", "new"]


def test_who_waits_moves_up_and_the_place_that_waited_longest_begins() -> None:
    old, fresh = asked("old"), asked("fresh", minute=15)
    assert ordered([old, fresh], {"fresh": 4}, START_MS + 15 * 60_000) == ["old", "fresh"]
    served = asked("s", "hall", state=QuestionState.ANSWERED, staged_ms=START_MS)
    hall, remote = asked("h", "hall"), asked("r", "remote")
    assert ordered([served, hall, remote], {"h": 50}, START_MS) == ["r", "h"]


# --- sessions, media times, addresses, identities ---------------------------------------------------


def test_an_item_goes_to_the_session_at_its_media_time_while_that_is_fresh() -> None:
    ended = talk("one", START_MS - 100_000, START_MS)
    running = talk("two", START_MS + 10_000)
    room, now = Scope("hall"), START_MS + 60_000
    assert session_at(room, [ended, running], START_MS - 5, now) == "one"
    assert session_at(room, [ended, running], START_MS + 5000, now) == "two"
    assert session_at(room, [ended, running], now, now) == "two"
    assert session_at(room, [ended, running], START_MS - 5, START_MS + GRACE_MS) == "two"
    assert session_at(room, [ended], START_MS - 5, START_MS + GRACE_MS) is None
    assert session_at(room, [closed("secret", START_MS)], now, now) is None
    assert session_at(Scope("hall", "secret"), [closed("secret", None)], now, now) == "secret"
    assert focus(room, [ended], START_MS + GRACE_MS - 1) == "one"
    assert focus(room, [ended, running], now) == "two"
    assert focus(room, [ended, closed("secret", START_MS)], START_MS + GRACE_MS) is None


def test_a_claimed_media_time_counts_between_two_hours_ago_and_now() -> None:
    now = START_MS
    for claim in (now, now - 7_200_000):
        assert media_time(claim, now, 5000) == claim
    for claim in (None, now + 1, now - 7_200_001, 0):
        assert media_time(claim, now, 5000) == now - 5000


def test_address_prefixes() -> None:
    assert prefix_of("192.0.2.77") == "192.0.2.0/24"
    assert prefix_of("::ffff:192.0.2.77") == "192.0.2.0/24"
    assert prefix_of("2001:db8:1:2:3::4") == "2001:db8:1::/56"
    assert prefix_of("fe80::1%eth0") == "fe80::1"
    assert exempt("192.0.2.77", ("10.0.0.0/8", "192.0.2.64/26"))
    assert not exempt("192.0.2.7", ("192.0.2.64/26",))
    assert not exempt("unix", ("0.0.0.0/0",))


def test_an_identity_is_believed_only_where_it_was_made() -> None:
    made, token = Identities(b"k" * 32).issue(START_MS)
    assert Identities(b"k" * 32).read(token) == made
    assert Identities(b"x" * 32).read(token) is None
    name, since, mac = token.split(".")
    for forged in (f"{name}.{int(since) - 1}.{mac}", f"p1.{since}.{mac}", "", "a.b.c", token + "x", "é", "." * 200):
        assert Identities(b"k" * 32).read(forged) is None
