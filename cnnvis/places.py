"""Cells of a map: read from what was sent, the largest, and the one that won a pool's cell."""

from torch import Tensor

from cnnvis.checks import whole_number
from cnnvis.errors import SettingError


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
