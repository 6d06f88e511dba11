"""Whole and real numbers and cells, in every type that a person, a page or a program may send."""

import math
import re

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from cnnvis.checks import cell_or_largest, check_cell, real_number, whole_number, winner
from cnnvis.errors import SettingError

PYTHONS = [(4, 4), (-4, -4), (0, 0), (4.0, 4), (-0.0, 0), (1e300, int(1e300)), (10**400, 10**400)]
WRITTEN = [("4", 4), ("4\x1f", 4), (" +4 ", 4), ("-4", -4), ("007", 7)]
ARRAYS = [(np.int64(4), 4), (np.uint8(250), 250), (np.int32(-4), -4), (np.float64(4.0), 4), (torch.tensor(4), 4)]
NOT_NUMBERS = [True, math.nan, math.inf, "four", "", None, [4]]
NOT_WHOLE = [False, 4.5, "4.0", "4 4", "1_0", "1" * 13, b"4", 4j, np.True_, np.float64(4.5), np.arange(3)]
REALS = [(4, 4.0), ("1e3", 1000.0), (np.float32(0.5), 0.5), (torch.tensor(2), 2.0)]
MAP = torch.rand(6, 8, generator=torch.Generator().manual_seed(0))


def name(value: object) -> str:
    return repr(value)[:20]


@pytest.mark.parametrize(("value", "number"), [*PYTHONS, *WRITTEN, *ARRAYS], ids=name)
def test_whole_numbers_are_accepted_in_many_types(value: object, number: int) -> None:
    assert whole_number(value) == number and type(whole_number(value)) is int


@pytest.mark.parametrize("value", [*NOT_NUMBERS, *NOT_WHOLE], ids=name)
def test_anything_else_is_not_a_whole_number(value: object) -> None:
    assert whole_number(value) is None


@pytest.mark.parametrize(("value", "number"), REALS, ids=name)
def test_real_numbers_are_accepted_in_many_types(value: object, number: float) -> None:
    assert real_number(value) == number and type(real_number(value)) is float


@pytest.mark.parametrize("value", [*NOT_NUMBERS, 10**400], ids=name)
def test_anything_else_is_not_a_real_number(value: object) -> None:
    assert real_number(value) is None


@pytest.mark.parametrize(("row", "column"), [(5, 7), ("5", 7.0), (torch.tensor(5), " 7 ")])
def test_a_cell_may_come_from_a_person_a_page_or_a_program(row: object, column: object) -> None:
    assert check_cell(row, column, MAP) == cell_or_largest(row, column, MAP) == (5, 7)


@pytest.mark.parametrize(
    ("row", "column", "sentence"),
    [
        (6, 0, "row 6 is out of range: choose a whole number from 0 to 5."),
        (-1, 0, "row -1 is out of range"),
        (0, 8, "column 8 is out of range: choose a whole number from 0 to 7."),
        (0, 1.5, "column 1.5 is out of range"),
        (True, 0, "row True is out of range"),
    ],
)
def test_a_cell_outside_the_map_is_refused(row: object, column: object, sentence: str) -> None:
    for read in (check_cell, cell_or_largest):
        with pytest.raises(SettingError, match=re.escape(sentence)):
            read(row, column, MAP)


def test_half_a_cell_is_refused() -> None:
    for half, missing in (((3, None), "column"), ((None, 3), "row")):
        with pytest.raises(SettingError, match=f"{missing} is missing: give both row and column, or neither"):
            cell_or_largest(*half, MAP)
    with pytest.raises(SettingError, match="row 9 is out of range"):
        cell_or_largest(9, None, MAP)


def test_without_a_cell_it_is_the_largest_value() -> None:
    row, column = cell_or_largest(None, None, MAP)
    assert MAP[row, column] == MAP.max()


def test_the_winner_is_the_cell_that_torch_keeps() -> None:
    _, kept = max_pool2d(MAP[None, None], 2, return_indices=True)
    winners = [winner(MAP, row, column) for row in range(3) for column in range(4)]
    assert winners == [divmod(index, 8) for index in kept.flatten().tolist()]
    assert winner(torch.zeros(2, 2), 0, 0) == (0, 0)  # the first of equal ones
