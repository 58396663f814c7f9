"""Readings in columns: cutting and joining lose nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domain.readings import Readings

rows = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(-(10**6), 10**6), st.floats(allow_nan=False)), max_size=40
)
Row = tuple[str, int, float]


def rows_of(readings: Readings) -> list[Row]:
    assert len(set(readings.series)) == len(readings.series)
    triples = zip(readings.i.tolist(), readings.t.tolist(), readings.x.tolist(), strict=True)
    return [(readings.series[i], t, x) for i, t, x in triples]


@given(rows)
def test_of_keeps_rows_and_their_order(given_rows: list[Row]) -> None:
    assert rows_of(Readings.of(given_rows)) == given_rows


@given(rows, st.data())
def test_take_keeps_what_is_chosen_and_only_its_series(given_rows: list[Row], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.booleans(), min_size=len(given_rows), max_size=len(given_rows)))
    taken = Readings.of(given_rows).take(np.array(chosen, dtype=bool))
    assert rows_of(taken) == [row for row, keep in zip(given_rows, chosen, strict=True) if keep]
    assert set(taken.series) == {row[0] for row in rows_of(taken)}


@given(rows, st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3)))
def test_split_puts_each_series_into_its_group(given_rows: list[Row], group_of: dict[str, int]) -> None:
    readings = Readings.of(given_rows)
    parts = dict(readings.split([group_of.get(name, 9) for name in readings.series]))
    assert list(parts) == sorted(parts)
    for group, part in parts.items():
        assert rows_of(part) == [row for row in given_rows if group_of.get(row[0], 9) == group]
    assert sum(map(len, parts.values())) == len(given_rows)


@given(st.lists(rows, min_size=1, max_size=4))
def test_joined_is_one_after_the_other(parts: list[list[Row]]) -> None:
    assert rows_of(Readings.joined([Readings.of(part) for part in parts])) == [row for part in parts for row in part]
