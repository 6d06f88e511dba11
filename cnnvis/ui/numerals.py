"""Numbers as the page writes them: with a real minus, which is as wide as a plus."""


def written(value: float, spec: str = ".3g") -> str:
    """Format `value` by `spec`, with a real minus."""
    return format(value, spec).replace("-", "−")


def digits(value: float, sign: str = "") -> str:
    """A number to four digits; a small one gets no more decimals than float32 keeps after a long sum."""
    if not value:
        return format(0, sign)
    return written(value, f"{sign}#.4g" if abs(value) >= 0.1 else f"{sign}.4f").removesuffix(".")
