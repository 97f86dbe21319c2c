"""What was computed is remembered: for whom, how long, and by whom."""

import threading
import time
from typing import Any

import numpy as np
import pytest

from apps.recommend import shared_cache
from apps.recommend.engine.deadline import NEVER, Deadline
from apps.recommend.engine.types import Slate
from apps.recommend.live_catalog import LiveCatalog
from apps.recommend.result_cache import Memo, SlateCache
from tests.factories import make_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def catalog() -> LiveCatalog:
    make_items(*({"item_id": f"item-{n}"} for n in range(20)))
    from apps.catalog.selectors import item_columns

    return LiveCatalog.of(item_columns(), 1)


@pytest.fixture
def cache() -> SlateCache:
    return SlateCache("candidates", capacity=100_000)


def slate(*rows: int) -> Slate:
    return Slate(
        np.array(rows, np.int32), np.linspace(1, 0, len(rows), dtype=np.float32), np.zeros(len(rows), np.int16), ("a",)
    )


class Maker:
    def __init__(self, *answers: Slate | None) -> None:
        self.answers, self.calls = list(answers), 0

    def __call__(self) -> Slate | None:
        self.calls += 1
        return self.answers[min(self.calls, len(self.answers)) - 1]


def test_the_second_to_ask_is_answered_without_computing(cache: SlateCache, catalog: LiveCatalog) -> None:
    make = Maker(slate(1, 2))
    for _ in range(3):
        found = cache.get_or_make(("key",), catalog, make, NEVER, shared_for=0)
        assert found is not None
        assert found.rows.tolist() == [1, 2]
    assert make.calls == 1


def test_another_key_is_another_slate(cache: SlateCache, catalog: LiveCatalog) -> None:
    cache.get_or_make(("one",), catalog, Maker(slate(1)), NEVER, shared_for=0)
    found = cache.get_or_make(("two",), catalog, Maker(slate(2)), NEVER, shared_for=0)
    assert found is not None
    assert found.rows.tolist() == [2]


def test_nothing_is_remembered_of_a_slate_that_is_not_to_be_kept(cache: SlateCache, catalog: LiveCatalog) -> None:
    make = Maker(None, slate(3))
    assert cache.get_or_make(("key",), catalog, make, NEVER, shared_for=0) is None
    found = cache.get_or_make(("key",), catalog, make, NEVER, shared_for=0)
    assert found is not None
    assert found.rows.tolist() == [3]


def test_rows_of_another_epoch_are_never_served(cache: SlateCache, catalog: LiveCatalog) -> None:
    from apps.catalog.selectors import item_columns

    cache.get_or_make(("key",), catalog, Maker(slate(1)), NEVER, shared_for=0)
    other = LiveCatalog.of(item_columns(), 1)
    assert other.epoch != catalog.epoch
    make = Maker(slate(5))
    found = cache.get_or_make(("key",), other, make, NEVER, shared_for=0)
    assert make.calls == 1
    assert found is not None
    assert found.rows.tolist() == [5]


def test_of_many_who_ask_at_once_one_computes(cache: SlateCache, catalog: LiveCatalog) -> None:
    started, go = threading.Event(), threading.Event()
    calls = []

    def make() -> Slate:
        calls.append(1)
        started.set()
        go.wait(10)
        return slate(4)

    found: list[Slate | None] = []

    def ask() -> None:
        found.append(cache.get_or_make(("key",), catalog, make, NEVER, shared_for=0))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    time.sleep(0.05)
    go.set()
    for thread in threads:
        thread.join(10)
    assert len(calls) == 1
    assert [one.rows.tolist() for one in found if one is not None] == [[4]] * 8


def test_whoever_has_no_time_left_does_not_wait_for_another(cache: SlateCache, catalog: LiveCatalog) -> None:
    started, go = threading.Event(), threading.Event()

    def slow() -> Slate:
        started.set()
        go.wait(10)
        return slate(4)

    first = threading.Thread(target=cache.get_or_make, args=(("key",), catalog, slow, NEVER), kwargs={"shared_for": 0})
    first.start()
    assert started.wait(10)
    assert cache.get_or_make(("key",), catalog, Maker(slate(9)), Deadline.after(1), shared_for=0) is None
    go.set()
    first.join(10)


def test_a_failure_reaches_everybody_who_waited_and_is_not_remembered(cache: SlateCache, catalog: LiveCatalog) -> None:
    def fail() -> Slate:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        cache.get_or_make(("key",), catalog, fail, NEVER, shared_for=0)
    found = cache.get_or_make(("key",), catalog, Maker(slate(1)), NEVER, shared_for=0)
    assert found is not None


def test_an_old_slate_is_served_while_a_new_one_is_made(cache: SlateCache, catalog: LiveCatalog, settings: Any) -> None:
    settings.RESULT_CACHE_SECONDS = 0.2
    cache.get_or_make(("key",), catalog, Maker(slate(1)), NEVER, shared_for=0)
    time.sleep(0.12)
    renewed = threading.Event()

    def anew() -> Slate:
        renewed.set()
        return slate(2)

    found = cache.get_or_make(("key",), catalog, anew, NEVER, shared_for=0)
    assert found is not None
    assert found.rows.tolist() == [1]
    assert renewed.wait(10)


def test_memory_is_bounded_and_what_was_asked_last_stays(cache: SlateCache, catalog: LiveCatalog) -> None:
    kept = Maker(slate(0))
    for number in range(1_000):
        cache.get_or_make(("often",), catalog, kept, NEVER, shared_for=0)
        cache.get_or_make((number,), catalog, Maker(slate(*range(15))), NEVER, shared_for=0)
    assert kept.calls == 1
    assert not cache.holds((0,), catalog)
    assert cache.holds((999,), catalog)


def test_a_slate_is_the_same_after_having_been_bytes(catalog: LiveCatalog) -> None:
    first = Slate(
        np.array([3, 1, 2], np.int32), np.array([0.5, 0.25, -1], np.float32), np.array([1, 0, 1], np.int16), ("a", "ü")
    )
    again = shared_cache.unpacked(shared_cache.packed(first, catalog), catalog)
    assert again.rows.tolist() == [3, 1, 2]
    assert again.scores.tolist() == [0.5, 0.25, -1]
    assert again.source.tolist() == [1, 0, 1]
    assert again.source_names == ("a", "ü")


@pytest.mark.parametrize("content", [b"", b"\x01", b"\x02" + b"\x00" * 20, b"\x01\xff\xff\xff\xff\x00\x00", b"x" * 50])
def test_bytes_that_are_no_slate_are_refused(catalog: LiveCatalog, content: bytes) -> None:
    with pytest.raises(ValueError, match="not a slate"):
        shared_cache.unpacked(content, catalog)


def test_what_was_made_from_something_else_is_forgotten() -> None:
    memo = Memo("arranged", entries=2, seconds=60)
    origin, other = object(), object()
    memo.put("key", (origin,), "value")
    assert memo.get("key", (origin,)) == "value"
    assert memo.get("key", (other,)) is None
    memo.put("another", (other,), "value")
    assert memo.get("key", (origin,)) is None
    assert memo.get("key", (other,)) is None


def test_a_memo_keeps_so_many_and_so_long() -> None:
    memo = Memo("arranged", entries=2, seconds=60)
    for key in "abc":
        memo.put(key, (), key)
    assert [memo.get(key, ()) for key in "abc"] == [None, "b", "c"]
    short = Memo("arranged", entries=2, seconds=0)
    short.put("a", (), "a")
    assert short.get("a", ()) is None
