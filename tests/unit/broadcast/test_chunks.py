"""Places of bytes are found in chunks that touch, overlap or stand alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.broadcast.chunks import ChunkSet
from streamer.broadcast.programme import Chunk


def test_chunks_that_touch_are_one_run() -> None:
    found = ChunkSet([Chunk("a", 30, 10), Chunk("a", 0, 10), Chunk("a", 10, 5), Chunk("b", 0, 1)])
    assert found.runs == {"a": [(0, 15), (30, 40)], "b": [(0, 1)]}
    assert ("a", 14) in found
    assert ("a", 15) not in found
    assert ("c", 0) not in found


def test_in_memory_an_offset_is_a_name() -> None:
    found = ChunkSet([Chunk("", -12, 100)])
    assert ("", -12) in found
    assert ("", -11) not in found


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=12), st.integers(-2, 80))
def test_a_place_is_found_where_any_chunk_has_it(spans: list[tuple[int, int]], offset: int) -> None:
    found = ChunkSet(Chunk("f", begin, size) for begin, size in spans)
    assert (("f", offset) in found) == any(begin <= offset < begin + size for begin, size in spans)
