"""Votes for questions, and the order in which questions come to the stage. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from streamer.conference.day import MINUTE_MS
from streamer.conference.participation import Question, QuestionOrder, QuestionState

MINUTES_A_VOTE = 3
"""This waiting time weighs as much as a vote."""
MOST_WAITING = 5
FIRST_TIME = 2
"""Votes that a person without a turn so far is ahead."""
HAD_A_TURN = 3
"""Votes that each further question of one person is behind."""


def voters(question_id: str, questions: Mapping[str, Question], votes: Mapping[str, AbstractSet[str]]) -> set[str]:
    """The people who voted for a question, or for one that is merged into it, each once."""
    united = set(votes.get(question_id, ()))
    for other in questions.values():
        if other.merged_into == question_id:
            united |= votes.get(other.id, set())
    return united


def tally(questions: Mapping[str, Question], votes: Mapping[str, AbstractSet[str]]) -> dict[str, int]:
    """The number of :func:`voters` of each question; for many questions at once."""
    parts: dict[str, list[str]] = {}
    for question in questions.values():
        if question.merged_into is not None:
            parts.setdefault(question.merged_into, []).append(question.id)
    found = {}
    for question_id in questions:
        united: AbstractSet[str] = votes.get(question_id, frozenset())
        if question_id in parts:
            united = set(united).union(*(votes.get(part, frozenset()) for part in parts[question_id]))
        found[question_id] = len(united)
    return found


def voted(participant: str, questions: Mapping[str, Question], votes: Mapping[str, AbstractSet[str]]) -> set[str]:
    """The questions that the participant's vote counts for, directly or through a merged question."""
    mine = [question for question in questions.values() if participant in votes.get(question.id, ())]
    into = {q.merged_into for q in mine if q.merged_into is not None}
    return {q.id for q in mine} | {one for one in into if one in questions}


def ordered(
    questions: Iterable[Question], tally: Mapping[str, int], now_ms: int, by: QuestionOrder = QuestionOrder.FAIR
) -> list[str]:
    """Ids of the waiting (approved) questions, the next to be asked first. ``questions`` may hold others: answered ones
    and the one on stage show which people and places had a turn. The result depends on the set, not on its order."""
    known = sorted(questions, key=lambda question: question.id)
    waiting = [q for q in known if q.state is QuestionState.APPROVED and q.public]
    if by is QuestionOrder.TIME:
        return [q.id for q in sorted(waiting, key=_age)]
    if by is QuestionOrder.VOTES:
        return [q.id for q in sorted(waiting, key=lambda q: (-tally.get(q.id, 0), *_age(q)))]
    return _fair(known, waiting, tally, now_ms)


def _fair(known: list[Question], waiting: list[Question], tally: Mapping[str, int], now_ms: int) -> list[str]:
    """Places take turns; the place that waits longest comes first. Inside a place: by votes and waiting time, people
    without a turn so far ahead, further questions of one person behind."""
    had = [q for q in known if q.state in (QuestionState.ANSWERED, QuestionState.ON_STAGE) and not q.withdrawn]
    turns: dict[str, int] = {}
    last: dict[str, int] = {}
    for question in had:
        if question.participant is not None:
            turns[question.participant] = turns.get(question.participant, 0) + 1
        served = question.staged_ms or question.answered_ms or question.at_ms
        last[_place(question)] = max(last.get(_place(question), 0), served)

    def weight(question: Question) -> float:
        minutes = max(0, now_ms - question.at_ms) // MINUTE_MS
        return tally.get(question.id, 0) + min(MOST_WAITING, minutes // MINUTES_A_VOTE)

    by_weight = sorted(waiting, key=lambda q: (-weight(q), *_age(q)))
    behind: dict[str, int] = dict(turns)
    scored: list[tuple[float, Question]] = []
    for question in by_weight:
        asker = question.participant
        earlier = 0 if asker is None else behind.get(asker, 0)
        bonus = FIRST_TIME if earlier == 0 else -HAD_A_TURN * earlier
        scored.append((weight(question) + bonus, question))
        if asker is not None:
            behind[asker] = earlier + 1
    queues: dict[str, list[tuple[float, Question]]] = {}
    for entry in sorted(scored, key=lambda one: (-one[0], *_age(one[1]))):
        queues.setdefault(_place(entry[1]), []).append(entry)
    # Places without a turn come first, then those whose turn was longest ago; among equals the better question decides.
    places = sorted(queues, key=lambda place: (last.get(place, -1), -queues[place][0][0], *_age(queues[place][0][1])))
    order: list[str] = []
    depth = 0
    while len(order) < len(waiting):
        order += [queues[place][depth][1].id for place in places if depth < len(queues[place])]
        depth += 1
    return order


def _place(question: Question) -> str:
    return question.place.strip().casefold()


def _age(question: Question) -> tuple[int, str]:
    return question.at_ms, question.id
