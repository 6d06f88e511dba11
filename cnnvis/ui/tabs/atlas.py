"""The Atlas tab, the first that a visitor sees: everything about one filter, beside the wall."""

from cnnvis.ui.parts.base import html_block
from cnnvis.ui.parts.channel import channel_view
from cnnvis.ui.parts.choice import Choice
from cnnvis.ui.parts.follow import Follower, Shared


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    return Follower(_draw, [shared.photo], [html_block("atlas-filter")])


def _draw(choice: Choice, photo: str) -> tuple[str]:
    return (channel_view(choice.target, photo),)
