"""A link to every view: what an address says, and the address of what is shown.

Nothing in an address can break the page: what cannot be used is left at its default, and said.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from cnnvis.errors import CnnvisError, SettingError
from cnnvis.features import PIPELINES
from cnnvis.recipes import RECIPES, Ascent, check_setting
from cnnvis.ui.choice import TABS, Choice
from cnnvis.ui.photos import PHOTOS
from cnnvis.vgg import check_channel, find_layer
from cnnvis.weights import pick_device


@dataclass(frozen=True)
class View:
    """What the page shows, as far as an address can say it."""

    tab: str = Choice.tab
    layer: str = Choice.layer
    channel: int = Choice.channel
    recipe: str = Ascent.recipe
    steps: int = Ascent.steps
    size: int = Ascent.size
    seed: int = Ascent.seed
    pipeline: str = PIPELINES[0]
    photo: str = next(iter(PHOTOS))

    def query(self) -> str:
        """The address after the page's own: only what differs from the defaults, "" where nothing does."""
        told = {item.name: getattr(self, item.name) for item in fields(self)}
        return urlencode({name: value for name, value in told.items() if value != getattr(View, name)})


def read_query(query: Mapping[str, str]) -> tuple[View, list[str]]:
    """The view that an address asks for, and a sentence for everything in it that could not be used.

    Names that are not ours (`__theme`, `embed`, whatever a newsletter adds) are nobody's mistake.
    """
    view, wrong = View(), []
    for name, check in _CHECKS.items():
        if name in query:
            try:
                view = replace(view, **{name: check(query[name], view)})
            except CnnvisError as error:
                wrong.append(str(error))
    return view, wrong


def _one_of(name: str, allowed: Any) -> Callable[[str, View], str]:
    def check(value: str, _: View) -> str:
        if value not in allowed:
            raise SettingError.not_one_of(name, value, allowed)
        return value

    return check


def _setting(name: str) -> Callable[[str, View], Any]:
    return lambda value, _: check_setting(name, value, pick_device())


def _channel(value: str, view: View) -> int:
    return check_channel(value, find_layer(view.layer).channels, view.layer)


# In this order: a channel is one of the layer before it.
_CHECKS: dict[str, Callable[[str, View], Any]] = {
    "tab": _one_of("tab", TABS),
    "layer": lambda value, _: find_layer(value).name,
    "channel": _channel,
    "recipe": _one_of("recipe", RECIPES),
    "steps": _setting("steps"),
    "size": _setting("size"),
    "seed": _setting("seed"),
    "pipeline": _one_of("pipeline", PIPELINES),
    "photo": _one_of("photo", PHOTOS),
}
