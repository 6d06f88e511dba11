"""The 1,000 classes that VGG16 was trained to tell apart, by number and by name.

Names from torchvision, `VGG16_Weights.IMAGENET1K_V1.meta["categories"]` (BSD-3-Clause); no two are the same.
"""

from difflib import get_close_matches

from torchvision.models import VGG16_Weights

from cnnvis.errors import ChannelError, short

CLASSES: tuple[str, ...] = tuple(VGG16_Weights.IMAGENET1K_V1.meta["categories"])
_BY_NAME = {name.lower(): number for number, name in enumerate(CLASSES)}


def class_number(name: str) -> int:
    """The number of the class that is called `name`, in capitals or not. Raises ChannelError with the nearest names."""
    wanted = name.strip().lower()
    if wanted in _BY_NAME:
        return _BY_NAME[wanted]
    near = get_close_matches(wanted, list(_BY_NAME), n=3) or [known for known in _BY_NAME if wanted in known][:3]
    offer = (
        f"Did you mean {' or '.join(near)}?" if wanted and near else "Give a number from 0 to 999 or an English name."
    )
    raise ChannelError(f"class {short(name)} does not exist. {offer}")
