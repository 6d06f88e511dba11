"""The page: a masthead, the choice, four tabs, the address of what is shown, and the endpoints behind it."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from cnnvis.images import MAX_PHOTO_BYTES
from cnnvis.ui.api import add_endpoints
from cnnvis.ui.choice import choice_bar, choice_words
from cnnvis.ui.filters_tab import filters_tab
from cnnvis.ui.follow import Follower, follow
from cnnvis.ui.handlers import PAGE, for_people, refuse_wrong_types
from cnnvis.ui.learn_tab import learn_tab
from cnnvis.ui.maps_tab import maps_tab
from cnnvis.ui.maximize_tab import maximize_tab
from cnnvis.ui.share import restorer, share
from cnnvis.ui.texts import FOOTER, MASTHEAD, TITLE
from cnnvis.ui.theme import CSS, theme
from cnnvis.ui.zero import place_network
from cnnvis.vgg import fast_dtype
from cnnvis.weights import load_vgg16

KEPT_SECONDS = 2 * 3600  # how long a visitor's pictures stay on the server
CLEANED_SECONDS = 600
QUEUE_SIZE = 24  # visitors waiting; the next one is told that the page is busy


def build_page() -> gr.Blocks:
    """The whole page with its endpoints; loads no weights yet, except on ZeroGPU."""
    place_network()
    page: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(CLEANED_SECONDS, KEPT_SECONDS)) as page:
        gr.HTML(MASTHEAD)
        note = gr.Markdown(visible=False, elem_id="link-note")
        bar, words = choice_bar(), choice_words()
        followers = [Follower(None, lambda choice: (choice.words(),), [], [words])]
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
            with gr.Tab("Filters", id="filters") as filters:
                followers.append(filters_tab())
            with gr.Tab("Feature maps", id="maps") as maps:
                shown, photo, pipeline = maps_tab(bar)
                followers.append(shown)
            with gr.Tab("Activation maximization", id="maximize") as maximize:
                shown, controls = maximize_tab(bar, photo)
                followers.append(shown)
            with gr.Tab("Learn", id="learn") as learn:
                followers.append(learn_tab(bar, photo))
        controls |= {"pipeline": pipeline, "photo": photo}
        followers.append(share(page, controls))
        restored = restorer(tabs, bar, controls, note)
        follow(bar, [filters, maps, maximize, learn], followers, restored)
        state = gr.Markdown("VGG16 is loading…", elem_id="network", elem_classes="quiet")
        gr.HTML(FOOTER)
        add_endpoints()
        page.load(_network, None, state, **PAGE)
    refuse_wrong_types(page)
    # Calls that skip the queue would skip its limits too.
    page.queue(max_size=QUEUE_SIZE, api_open=False)
    return page


@for_people
def _network() -> Iterator[str]:
    """The line about the network in use, and the wait for it where it is still being read."""
    yield "VGG16 is loading…"
    net = load_vgg16()
    device = next(net.parameters()).device
    precision = str(fast_dtype(device)).removeprefix("torch.")
    yield f"VGG16 is ready: {net.origin}. Computing on {device.type}, ascents in {precision}."


def launch_options() -> dict[str, Any]:
    """How to launch the page, on Spaces and elsewhere."""
    return {
        "theme": theme(),
        "css": CSS,
        "show_error": False,  # what a visitor may read is raised as gr.Error; the rest belongs into the log
        "ssr_mode": False,
        "max_file_size": MAX_PHOTO_BYTES,
        "state_session_capacity": 300,
        "footer_links": ["api", "settings"],
    }
