"""The Atlas tab, the first that a visitor sees: everything about one filter or one concept, beside the wall."""

from cnnvis.errors import CnnvisError
from cnnvis.ui.parts.base import html_block
from cnnvis.ui.parts.channel import channel_view
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.concept import concept_view, concepts_of
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.serving import cache
from cnnvis.views.html import quiet


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    return Follower(_draw, [shared.photo], [html_block("atlas-filter")])


def _draw(choice: Choice, photo: str) -> tuple[str]:
    problem = ""
    try:
        if chosen := cache.chosen_concept(choice.layer, choice.concept):
            return (concept_view(*chosen, photo),)
    except CnnvisError as error:  # no such concept: its layer's filter is shown
        problem = quiet(error.sentence())
    return (problem + channel_view(choice.target, photo, concepts_of(choice.target)),)
