"""Numbers as people, pages and programs send them: 4, 4.0, "4", and the integers of NumPy and torch."""

import re
from contextlib import suppress
from math import isfinite
from operator import index


def whole_number(value: object) -> int | None:
    """Read `value` as an int if it is a whole number (4, 4.0, "4"); otherwise return None.

    A page's number field sends floats, an address sends text. True and False are not numbers.
    """
    if isinstance(value, bool):
        return None
    with suppress(TypeError):
        return index(value)  # type: ignore[arg-type]  # raises TypeError unless it is an integer; NumPy's integers are
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,12}\s*", value):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else None


def real_number(value: object) -> float | None:
    """Read `value` as a finite float; return None if it is not one."""
    try:
        number = float(value)  # type: ignore[arg-type]  # raises for anything that is not a number
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) and not isinstance(value, bool) else None
