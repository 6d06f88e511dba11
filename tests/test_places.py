"""Places of a map: what is understood, what is refused, and the cell that won, by torch."""

import re

import pytest
import torch
from torch.nn.functional import max_pool2d

from cnnvis.errors import SettingError
from cnnvis.places import check_place, place_or_largest, winner

MAP = torch.rand(6, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("row", "column"), [(5, 7), ("5", 7.0), (torch.tensor(5), " 7 ")])
def test_a_place_may_come_as_a_person_a_page_or_a_program_sends_it(row: object, column: object) -> None:
    assert check_place(row, column, MAP) == place_or_largest(row, column, MAP) == (5, 7)


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        (6, 0, "row 6 is out of range: choose a whole number from 0 to 5."),
        (-1, 0, "row -1 is out of range"),
        (0, 8, "column 8 is out of range: choose a whole number from 0 to 7."),
        (0, 1.5, "column 1.5 is out of range"),
        (True, 0, "row True is out of range"),
    ],
)
def test_a_place_outside_the_map_is_refused(row: object, column: object, said: str) -> None:
    for read in (check_place, place_or_largest):
        with pytest.raises(SettingError, match=re.escape(said)):
            read(row, column, MAP)


def test_half_a_place_is_refused() -> None:
    for half, missing in (((3, None), "column"), ((None, 3), "row")):
        with pytest.raises(SettingError, match=f"{missing} is missing: give both row and column, or neither"):
            place_or_largest(*half, MAP)
    with pytest.raises(SettingError, match="row 9 is out of range"):
        place_or_largest(9, None, MAP)


def test_without_a_place_it_is_the_largest() -> None:
    row, column = place_or_largest(None, None, MAP)
    assert MAP[row, column] == MAP.max()


def test_the_winner_is_the_one_that_torch_keeps() -> None:
    _, kept = max_pool2d(MAP[None, None], 2, return_indices=True)
    for row in range(3):
        for column in range(4):
            assert winner(MAP, row, column) == divmod(int(kept[0, 0, row, column]), 8)


def test_of_equal_ones_the_first_wins() -> None:
    assert winner(torch.zeros(2, 2), 0, 0) == (0, 0)
