"""The version of cnnvis, and the records that carry it."""

from dataclasses import asdict
from typing import Any

__version__ = "0.1.0"


class Recorded:
    """Gives a result that is a dataclass its record."""

    def record(self) -> dict[str, Any]:
        """Everything as plain values, with the version of cnnvis."""
        return {**asdict(self), "cnnvis": __version__}  # type: ignore[call-overload]  # every subclass is a dataclass
