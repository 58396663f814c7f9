import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.rounds import rounds


@given(st.lists(st.integers(0, 5), max_size=40))
def test_every_reading_comes_once_each_row_once_a_round_and_in_order(rows: list[int]):
    row = np.array(sorted(rows), np.int32)
    positions = np.arange(len(row))
    met: list[int] = []
    turns = [positions[turn] for turn in rounds(row)]
    for turn in turns:
        assert len(np.unique(row[turn])) == len(turn)
        met += turn.tolist()
    assert sorted(met) == positions.tolist()
    for one in np.unique(row):
        mine = [k for turn in turns for k in turn if row[k] == one]
        assert mine == sorted(mine)
    assert len(turns) == (np.bincount(row).max() if len(row) else 0)
