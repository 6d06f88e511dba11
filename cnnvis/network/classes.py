"""The 1,000 classes VGG16 was trained to tell apart, by number and by name.

The names come from torchvision's `VGG16_Weights.IMAGENET1K_V1.meta["categories"]` (BSD-3-Clause). All are different,
but two differ only in their capitals: the Cardigan (264) is a dog, the cardigan (474) a garment.
"""

from collections.abc import Sequence
from difflib import get_close_matches

from torchvision.models import VGG16_Weights

from cnnvis.errors import ChannelError, short

CLASSES: tuple[str, ...] = tuple(VGG16_Weights.IMAGENET1K_V1.meta["categories"])

_NUMBERS: dict[str, int] = {name: number for number, name in enumerate(CLASSES)}
# Lower-case name to the names spelled that way: nearly always just one.
_SPELLINGS: dict[str, list[str]] = {}
for _name in CLASSES:
    _SPELLINGS.setdefault(_name.casefold(), []).append(_name)

_MOST_SUGGESTIONS = 3


def class_names(count: int) -> Sequence[str]:
    """The names of `count` classes: ImageNet's for 1,000, otherwise "class 0", "class 1" and so on."""
    return CLASSES if count == len(CLASSES) else [f"class {number}" for number in range(count)]


def class_number(name: str) -> int:
    """The number of the class called `name`; capitals matter only where nothing else tells two classes apart.

    Raises ChannelError, which suggests the nearest names.
    """
    wanted = name.strip()
    if wanted in _NUMBERS:
        return _NUMBERS[wanted]
    spellings = _SPELLINGS.get(wanted.casefold(), [])
    if len(spellings) == 1:
        return _NUMBERS[spellings[0]]
    near = spellings or _nearest(wanted.casefold())  # CARDIGAN could be either class: do not guess
    hint = f"Did you mean {' or '.join(near)}?" if near else "Give a number from 0 to 999 or an English name."
    raise ChannelError(f"class {short(name)} does not exist. {hint}")


def _nearest(wanted: str) -> list[str]:
    """Up to three names that resemble, or otherwise contain, the lower-case `wanted`."""
    if not wanted:
        return []
    near = get_close_matches(wanted, _SPELLINGS, n=_MOST_SUGGESTIONS) or [key for key in _SPELLINGS if wanted in key]
    return [name for key in near for name in _SPELLINGS[key]][:_MOST_SUGGESTIONS]
