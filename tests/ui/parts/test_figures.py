"""Numbers as the page writes them."""

import pytest

from cnnvis.ui.parts.figures import digits, written


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [(-2.84, ".1f", "−2.8"), (2.84, "+.1f", "+2.8"), (-1e-7, ".3g", "−1e−07"), (0, ".3g", "0")],
)
def test_a_minus_is_a_real_one(value: float, spec: str, text: str) -> None:
    assert written(value, spec) == text


@pytest.mark.parametrize(
    ("value", "sign", "text"),
    [(-12.34567, "", "−12.35"), (1234, "", "1234"), (0.01234567, "+", "+0.0123"), (0, "+", "+0"), (-0.0, "", "0")],
)
def test_a_number_has_four_digits_or_four_decimals(value: float, sign: str, text: str) -> None:
    assert digits(value, sign) == text
