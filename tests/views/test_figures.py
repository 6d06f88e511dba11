"""Numbers as the page writes them."""

from cnnvis.views.figures import digits, written


def test_a_minus_is_a_real_one() -> None:
    given = ((-2.84, ".1f"), (2.84, "+.1f"), (-1e-7, ".3g"), (0, ".3g"))
    assert [written(*pair) for pair in given] == ["−2.8", "+2.8", "−1e−07", "0"]


def test_a_number_has_four_digits_or_four_decimals() -> None:
    given = ((-12.34567, ""), (1234, ""), (0.01234567, "+"), (0, "+"), (-0.0, ""))
    assert [digits(*pair) for pair in given] == ["−12.35", "1234", "+0.0123", "+0", "0"]
