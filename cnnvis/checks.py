"""Numbers as people, pages and programs send them: 4, 4.0, "4", and the integers of NumPy and torch."""

import re
from collections.abc import Sequence
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


def whole_between(name: str, value: object, low: int, high: int, unit: str = "") -> int:
    """Read `value` as a whole number from `low` to `high`; the error calls it `name`. Raises SettingError."""
    number = whole_number(value)
    if number is None or not low <= number <= high:
        raise SettingError.outside(name, value, f"a whole number from {low}", high, unit)
    return number


def real_number(value: object) -> float | None:
    """Read `value` as a finite float; return None if it is not one."""
    try:
        number = float(value)  # type: ignore[arg-type]  # raises for anything that is not a number
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) and not isinstance(value, bool) else None


def check_cell(row: object, column: object, feature_map: Tensor) -> tuple[int, int]:
    """Read a row and a column as a cell of a map (H, W). Raises SettingError if the map has no such cell."""
    return _cell(row, column, feature_map.shape)


def _cell(row: object, column: object, size: Sequence[int]) -> tuple[int, int]:
    height, width = size
    return whole_between("row", row, 0, height - 1), whole_between("column", column, 0, width - 1)


def asked_cell(row: object, column: object, size: Sequence[int]) -> tuple[int, int] | None:
    """Read a cell of a map of a `size` (H, W); None without row and column. Raises SettingError."""
    if row is None and column is None:
        return None
    cell = _cell(0 if row is None else row, 0 if column is None else column, size)
    for name, value in (("row", row), ("column", column)):
        if value is None:
            raise SettingError(f"{name} is missing: give both row and column, or neither.")
    return cell


def cell_or_largest(row: object, column: object, feature_map: Tensor) -> tuple[int, int]:
    """Read a cell of a map (H, W); without row and column, find its largest value. Raises SettingError."""
    largest = divmod(int(feature_map.argmax()), feature_map.shape[1])
    return asked_cell(row, column, feature_map.shape) or largest


def winner(feature_map: Tensor, row: int, column: int) -> tuple[int, int]:
    """The cell of a map that the next 2×2 max pool keeps at (row, column); the first of several equal ones."""
    down, right = divmod(int(feature_map[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].argmax()), 2)
    return 2 * row + down, 2 * column + right
