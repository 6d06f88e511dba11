"""Links to a view: what an address says, and the address of what is shown.

Nothing in an address can break the page: an invalid value falls back to its default, with a notice.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cnnvis.analysis.maps import PIPELINES
from cnnvis.checks import whole_between
from cnnvis.errors import CnnvisError, SettingError
from cnnvis.maximization.recipes import RECIPES, Settings, check_setting
from cnnvis.network.architecture import Target
from cnnvis.network.weights import pick_device
from cnnvis.pictures.images import PHOTO_SIDE
from cnnvis.prepared.quiz import ABOUT, REFERENCES, check_quiz
from cnnvis.ui.parts.choice import LANDING, OF, OFFERED, UNNAMED, Choice
from cnnvis.ui.parts.subject import subject_of
from cnnvis.ui.parts.wall import LENSES, ORDERS
from cnnvis.ui.serving.photos import DEFAULT_PHOTO, EXAMPLES, NO_PHOTO, named_photos, photo_name
from cnnvis.ui.tabs import TABS
from cnnvis.ui.tabs.quiz.tab import COUNTS
from cnnvis.views.lesson import PAGES


def _one_of(name: str, allowed: Iterable[str]) -> Callable[[str], str]:
    return lambda value: str(SettingError.check(name, value, allowed))


def _setting(name: str) -> Callable[[str], int]:
    return lambda value: int(check_setting(name, value, pick_device()))


def _integer(name: str, low: int, high: int) -> Callable[[str], int]:
    return lambda value: whole_between(name, value, low, high)


def _quiz_seed(value: str) -> int:
    return check_quiz(value, UNNAMED.layer.name, 1, REFERENCES[0])[0]


def _known_photo(value: str) -> str:
    if value not in named_photos():
        raise SettingError.not_one_of("photo", value, EXAMPLES)  # the shelf's would be too many to list
    return value


def _digest(name: str) -> str:
    return named_photos().get(name, NO_PHOTO).digest


NAMED_TAB = "filters"  # of an address that has one of our names but no tab


@dataclass(frozen=True)
class Parameter:
    """One value in an address, and the control that holds it: the one whose Follower calls it `name`."""

    name: str
    default: Any
    check: Callable[[str], Any]  # from the text in an address; raises CnnvisError
    encode: Callable[[Any], Any]  # from the control's value to the address's; "" leaves it out
    decode: Callable[[Any], Any] = lambda value: value  # and back
    called: str = ""  # its name in an address, where that is another
    tab: str = ""  # the only tab whose addresses have it; there it replaces one that is called the same


PARAMETERS = (
    Parameter("recipe", Settings.recipe, _one_of("recipe", RECIPES), str),
    Parameter("steps", Settings.steps, _setting("steps"), int),
    Parameter("size", Settings.size, _setting("size"), int),
    Parameter("seed", Settings.seed, _setting("seed"), int),
    Parameter("of", "", _one_of("of", OF), str),
    Parameter("row", None, _integer("row", 0, PHOTO_SIDE - 1), int),
    Parameter("column", None, _integer("column", 0, PHOTO_SIDE - 1), int),
    Parameter("pipeline", PIPELINES[0], _one_of("pipeline", PIPELINES), str),
    Parameter("lens", "", _one_of("lens", LENSES), str),
    Parameter("order", "index", _one_of("order", ORDERS), str),
    Parameter("photo", DEFAULT_PHOTO.name, _known_photo, photo_name, _digest),
    Parameter("lesson", 0, _integer("lesson", 1, len(PAGES)), int),
    Parameter("about", ABOUT[0], _one_of("about", ABOUT), str, tab="quiz"),
    Parameter("reference", REFERENCES[0], _one_of("reference", REFERENCES), str, tab="quiz"),
    Parameter("questions", COUNTS[1], _one_of("questions", COUNTS), str, tab="quiz"),
    Parameter("quiz_seed", 0, _quiz_seed, int, called="seed", tab="quiz"),
)


def _called(tab: str) -> dict[str, Parameter]:
    """The parameters in a tab's addresses, by their names there; PARAMETERS has a tab's own last, so they win."""
    return {parameter.called or parameter.name: parameter for parameter in PARAMETERS if parameter.tab in ("", tab)}


# The names in an address.
OURS = {"tab", "layer", "channel"} | {parameter.called or parameter.name for parameter in PARAMETERS}


@dataclass(frozen=True)
class Address:
    """What an address says: a tab, a channel, and the parameters that are not at their defaults."""

    tab: str
    target: Target
    values: Mapping[str, Any]  # by the parameters' own names

    def query(self) -> str:
        """The part of the address after "?"; "" for what a visitor sees who comes without one."""
        if (self.tab, self.target, self.values) == (TABS[0].id, LANDING, {}):
            return ""
        given = {name: self.values.get(parameter.name) for name, parameter in _called(self.tab).items()}
        named = {"tab": self.tab, "layer": self.target.layer.name, "channel": self.target.number, **given}
        default = {"tab": NAMED_TAB, "layer": UNNAMED.layer.name, "channel": UNNAMED.number}
        query = {name: value for name, value in named.items() if default.get(name) != value}
        return urlencode(query or {"tab": NAMED_TAB})


def address_of(tab: str, target: Target, controls: Mapping[str, Any]) -> Address:
    """The address of a view; `controls` are the values of the controls that belong in it, by name."""
    values = {}
    for parameter in _called(tab).values():
        given = controls.get(parameter.name)
        value = "" if given is None else parameter.encode(given)
        if value not in ("", parameter.default):
            values[parameter.name] = value
    return Address(tab, target, values)


def read_query(query: Mapping[str, str]) -> tuple[Address, list[str]]:
    """Read an address; also return a sentence for each value in it that is invalid.

    Names that are not ours (`__theme`, `embed`, those that newsletters add) are ignored.
    """
    wrong: list[str] = []

    def read(name: str, default: Any, check: Callable[[str], Any]) -> Any:
        if name not in query:
            return default
        try:
            return check(query[name])
        except CnnvisError as error:
            wrong.append(str(error))
            return default

    if not OURS & query.keys():
        return Address(TABS[0].id, LANDING, {}), []
    tab = read("tab", NAMED_TAB, _one_of("tab", [tab.id for tab in TABS]))
    layer = read("layer", UNNAMED.layer, OFFERED.find)
    target = read("channel", OFFERED.target(layer.name, 0), lambda channel: OFFERED.target(layer.name, channel))
    values = {parameter: read(name, parameter.default, parameter.check) for name, parameter in _called(tab).items()}
    kept = {parameter.name: value for parameter, value in values.items() if value != parameter.default}
    try:
        subject_of(Choice(target, of=kept.get("of", "")))
    except CnnvisError as error:  # the layer does not have it
        wrong.append(str(error))
        del kept["of"]
    return Address(tab, target, kept), wrong
