"""The Atlas tab, the first that a visitor sees: everything about one filter or one concept, beside the wall."""

from cnnvis.errors import CnnvisError
from cnnvis.ui.parts.base import html_block
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.parts.subject import filter_of, subject_of
from cnnvis.views.html import quiet


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    return Follower(_draw, [shared.photo], [html_block("atlas-filter")])


def _draw(choice: Choice, photo: str) -> tuple[str]:
    try:
        return (subject_of(choice).view(photo),)
    except CnnvisError as error:  # no such concept: its layer's filter is shown
        return (quiet(error.sentence()) + filter_of(choice.target).view(photo),)
