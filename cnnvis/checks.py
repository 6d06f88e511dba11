"""Numbers as people, pages and programs send them: 4, 4.0, "4", and the integers of NumPy and torch."""

import re
from contextlib import suppress
from math import isfinite
from operator import index

from torch import Tensor

from cnnvis.errors import SettingError


def whole_number(value: object) -> int | None:
    """Read `value` as an int if it is a whole number (4, 4.0, "4"); otherwise return None.

    A page's number field sends floats, an address sends text. True and False are not numbers.
    """
    if isinstance(value, bool):
        return None
    with suppress(TypeError):
        return index(value)  # type: ignore[arg-type]  # raises TypeError unless it is an integer; NumPy's integers are
    if isinstance(value, str):
        text = re.fullmatch(r"\s*([+-]?\d{1,12})\s*", value)
        return int(text[1]) if text else None
    return int(value) if isinstance(value, float) and value.is_integer() else None


def real_number(value: object) -> float | None:
    """Read `value` as a finite float; return None if it is not one."""
    try:
        number = float(value)  # type: ignore[arg-type]  # raises for anything that is not a number
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) and not isinstance(value, bool) else None


def check_place(row: object, column: object, shown: Tensor) -> tuple[int, int]:
    """Read a row and a column as a place of a map (H, W). Raises SettingError for one outside it."""
    place = []
    for name, value, count in (("row", row, shown.shape[0]), ("column", column, shown.shape[1])):
        number = whole_number(value)
        if number is None or not 0 <= number < count:
            raise SettingError.outside(name, value, "a whole number from 0", count - 1)
        place.append(number)
    return place[0], place[1]


def place_or_largest(row: object, column: object, shown: Tensor) -> tuple[int, int]:
    """Read a place of a map (H, W); without row and column, where it is largest. Raises SettingError."""
    if row is None and column is None:
        return divmod(int(shown.argmax()), shown.shape[1])
    place = check_place(0 if row is None else row, 0 if column is None else column, shown)
    for name, value in (("row", row), ("column", column)):
        if value is None:
            raise SettingError(f"{name} is missing: give both row and column, or neither.")
    return place


def winner(shown: Tensor, row: int, column: int) -> tuple[int, int]:
    """The cell of a map that won a cell (row, column) of the pool behind it; of equal ones the first."""
    down, right = divmod(int(shown[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].argmax()), 2)
    return 2 * row + down, 2 * column + right
