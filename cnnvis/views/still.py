"""A view that stands still: where no server answers, its buttons are links to a live page, or plain."""

import html
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlencode, urlsplit

from cnnvis.errors import SettingError

_BUTTON = re.compile(r"<button\b([^>]*)>(.*?)</button>", re.DOTALL)
_ATTRIBUTE = re.compile(r'([\w-]+)(?:="([^"]*)")?')
Data = Mapping[str, str]  # a button's attributes
Query = Mapping[str, object]  # the names in an address and their values
_KEPT = ("class", "title")


def check_live(live: str) -> str:
    """Return the address of a live page without what follows its path. Raises SettingError."""
    parts = urlsplit(str(live))
    if live and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise SettingError(f"live {str(live)[:60]!r} is no address of a page: give one that begins with https://.")
    return parts._replace(query="", fragment="").geturl()


def link_to(live: str, **query: object) -> str:
    """The address of a view on a live page, ready for HTML."""
    return html.escape(f"{live}?{urlencode(query)}")


def still(view: str, live: str, here: Query, stays: Callable[[Data], bool] = lambda data: False) -> str:
    """A view whose buttons are links to the page at `live`, as far as that can show them, or else plain.

    A button of words alone is left out if nothing can answer it. `here` is what the view is of, as in an address: its
    buttons go on from there. Those whose data `stays` accepts remain: a site answers them itself.
    """

    def replaced(button: re.Match[str]) -> str:
        given, inside = dict(_ATTRIBUTE.findall(button[1])), button[2]
        if stays(given):
            return button[0]
        query = _asks(given, here) if live else {}
        if not query and "<img" not in inside:
            return ""
        if "aria-label" in given:  # a plain piece of text has no name of its own, but its picture has
            inside = inside.replace('alt=""', f'alt="{given["aria-label"]}"', 1)
        looks = "".join(f' {name}="{given[name]}"' for name in _KEPT if name in given)
        if not query:
            return f"<span{looks}>{inside}</span>"
        return f'<a href="{link_to(live, **query)}" target="_blank" rel="noopener"{looks}>{inside}</a>'

    return _BUTTON.sub(replaced, view)


def _asks(given: Data, here: Query) -> Query:
    """What a button leads to, as the names in an address; nothing for one that opens something in place."""
    if "data-channel" in given:
        return {"tab": "atlas", "layer": given["data-layer"], "channel": given["data-channel"]}
    if given.get("data-of", "").startswith("concept"):
        return {"tab": given.get("data-go", "atlas"), "layer": here["layer"], "of": given["data-of"]}
    return {"tab": given["data-go"], **here} if "data-go" in given and "data-of" not in given else {}
