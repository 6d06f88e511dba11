"""Whole and real numbers, in every type that a person, a page or a program may send."""

import math

import numpy as np
import pytest
import torch

from cnnvis.checks import real_number, whole_number

PYTHONS = [(4, 4), (-4, -4), (0, 0), (4.0, 4), (-0.0, 0), (1e300, int(1e300)), (10**400, 10**400)]
WRITTEN = [("4", 4), (" +4 ", 4), ("-4", -4), ("007", 7)]
ARRAYS = [(np.int64(4), 4), (np.uint8(250), 250), (np.int32(-4), -4), (np.float64(4.0), 4), (torch.tensor(4), 4)]


@pytest.mark.parametrize(("value", "number"), [*PYTHONS, *WRITTEN, *ARRAYS], ids=lambda value: repr(value)[:20])
def test_whole_numbers_are_accepted_in_many_types(value: object, number: int) -> None:
    found = whole_number(value)
    assert found == number
    assert type(found) is int


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        4.5,
        math.nan,
        math.inf,
        "4.0",
        "four",
        "",
        "4 4",
        "1_0",
        "1" * 13,
        None,
        [4],
        b"4",
        4j,
        np.True_,
        np.float64(4.5),
        np.arange(3),
    ],
)
def test_anything_else_is_not_a_whole_number(value: object) -> None:
    assert whole_number(value) is None


@pytest.mark.parametrize(
    ("value", "number"), [(4, 4.0), ("1e3", 1000.0), (np.float32(0.5), 0.5), (torch.tensor(2), 2.0)]
)
def test_real_numbers_are_accepted_in_many_types(value: object, number: float) -> None:
    found = real_number(value)
    assert found == number
    assert type(found) is float


@pytest.mark.parametrize("value", [True, math.nan, math.inf, "four", "", None, [4.0], 10**400])
def test_anything_else_is_not_a_real_number(value: object) -> None:
    assert real_number(value) is None
