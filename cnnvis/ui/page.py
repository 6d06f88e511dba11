"""The page: a masthead, the choice, the tabs, the link to what is shown, and the endpoints behind it."""

import html
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from cnnvis.errors import GET_WHOLE_NETWORK, WeightsError
from cnnvis.network.input_check import input_warning
from cnnvis.network.precision import fast_dtype
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import is_loaded, load_vgg16, pick_device
from cnnvis.pictures.photo import MAX_PHOTO_BYTES
from cnnvis.ui.api import add_endpoints
from cnnvis.ui.links import NAMED_TAB, OURS
from cnnvis.ui.parts.base import html_block
from cnnvis.ui.parts.choice import OFFERED, Choice, choice_words, layer_picker
from cnnvis.ui.parts.follow import Follower, Shared, connect
from cnnvis.ui.parts.large import large
from cnnvis.ui.parts.lesson import lesson
from cnnvis.ui.parts.photo import photo_chip, photo_panel
from cnnvis.ui.parts.wall import Looks, first_wall, wall
from cnnvis.ui.parts.welcome import welcome
from cnnvis.ui.serving import monitoring
from cnnvis.ui.serving.files import remove_folder, start_sweeping
from cnnvis.ui.serving.gpu import SHEET_DEVICE, place_network
from cnnvis.ui.serving.handlers import PAGE, ReadableBlocks
from cnnvis.ui.serving.memory import return_what_is_free
from cnnvis.ui.serving.photos import DEFAULT_PHOTO
from cnnvis.ui.serving.queues import TOTAL_PLACES, line_of
from cnnvis.ui.share import EMBED_HEIGHT, restorer, share
from cnnvis.ui.tabs import TABS
from cnnvis.ui.tabs.maximize.visitor import let_go
from cnnvis.ui.texts import ABOUT_PAGE, MASTHEAD, SHARE_BUTTON, TITLE
from cnnvis.ui.theme import CSS, theme

log = logging.getLogger(__name__)

LOADING = "VGG16 is loading…"
KERNEL_VIEWS = [("Automatic", "auto"), ("Signed", "signed"), ("Grey, each over its own range", "gray")]
PIPELINE_NAMES = [("As VGG computes it", "network"), ("Chained, as in the original notebooks", "conv_chain")]
CONTRAST_NAMES = [("Each map over its own range", "map"), ("One range for the layer", "layer")]
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
# Scripts of the whole page; what they share hangs on one object.
SCRIPTS = (
    "serving/stream.js",
    "parts/follow.js",
    "parts/panels.js",
    "share.js",
    "tabs/filters.js",
    "tabs/maximize/tab.js",
)
SHARED = {"ours": sorted(OURS), "namedTab": NAMED_TAB, "firstTab": TABS[0].id, "embedHeight": EMBED_HEIGHT}
_TEXTS = [(Path(__file__).parent / name).read_text(encoding="utf-8") for name in SCRIPTS]
HINTS = "".join(f'#tabs [data-tab-id="{tab.id}"]::before {{ content: "{tab.hint}"; }}' for tab in TABS)
# Not in page.css, whose rules Gradio puts below its container.
ROOT = ":root { --header: 56px; } @media (max-width: 700px) { :root { --header: 88px; } } .embedded { --header: 0px; }"
HEAD = "\n".join([f"<style>{ROOT} {HINTS}</style><script>window.cnnvis = {json.dumps(SHARED)};", *_TEXTS, "</script>"])


def build_page() -> gr.Blocks:
    """Build the whole page with its endpoints; loads no weights yet, except on ZeroGPU."""
    place_network()
    start_sweeping()
    page: gr.Blocks
    with ReadableBlocks(title=TITLE, analytics_enabled=False) as page:
        with gr.Row(elem_id="header"):
            gr.HTML(MASTHEAD, elem_id="masthead", padding=False)
            picker, chip = layer_picker(), photo_chip()
            gr.HTML(SHARE_BUTTON, elem_id="share-chip", padding=False)
            controls: dict[str, Any] = {"lesson": lesson("lesson")}
        digest = gr.Textbox(DEFAULT_PHOTO.digest, visible=False, elem_id="photo-digest")
        cell = (gr.Number(None, visible=False, precision=0, elem_id=f"why-{name}") for name in ("row", "column"))
        shared = Shared(picker, digest, *_settings(), *cell)
        always = [photo_panel(digest, chip), large(shared)]
        note = gr.HTML(visible=False, elem_id="link-note")
        welcome("welcome")
        with gr.Row(elem_id="main"):
            with gr.Column(elem_id="wall-side", min_width=0):
                always.append(wall(shared))
            with gr.Column(elem_id="inspector", min_width=0):
                words = choice_words()
                tabs, followers = _tabs(shared)
        always.append(Follower(_about, [], [words]))
        for follower in (*always, *followers.values()):
            controls |= follower.controls
        always.append(share(page, shared, controls))
        connect(picker, tabs, followers, always, restorer(shared, controls, note))
        state = html_block("network", "quiet", value=LOADING, html_template=ABOUT_PAGE)
        add_endpoints()
        page.load(_network, None, state, **PAGE)
        page.unload(let_go)
    # After every event, Gradio would summarise the last 10,000 (gradio#11764) for a monitoring page that nobody here
    # can open. This can go when `enable_monitoring=False` spares that too.
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(sys.maxsize))
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
    # Calls that bypass the queue would bypass its limits too.
    page.queue(max_size=TOTAL_PLACES, api_open=False)
    return page


def _settings() -> tuple[gr.Radio, gr.Number, gr.Radio, gr.Radio]:
    """The settings of kernels and maps, which the wall follows too; the tabs they belong to lay them out."""
    radio = partial(gr.Radio, render=False)
    return (
        radio(KERNEL_VIEWS, value=Looks.view, label="Colours", elem_id="filter-view"),
        gr.Number(Looks.source, label="Input channel", precision=0, minimum=0, elem_id="input-channel", render=False),
        radio(PIPELINE_NAMES, value=Looks.pipeline, label="Pipeline", elem_id="pipeline"),
        radio(CONTRAST_NAMES, value=Looks.contrast, label="Contrast", elem_id="contrast"),
    )


def _tabs(shared: Shared) -> tuple[dict[str, gr.Tab], dict[str, Follower]]:
    """Lay out the tabs; return them and what of each follows the choice, by the tabs' ids."""
    tabs, followers = {}, {}
    with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
        for tab in TABS:
            with gr.Tab(tab.title, id=tab.id) as tabs[tab.id]:
                followers[tab.id] = tab.layout(shared)
    return tabs, followers


def _about(choice: Choice) -> tuple[str]:
    """The choice in words; the quiz is about the layer alone."""
    if choice.tab == "quiz":
        return (f"<strong>{choice.layer.convolution}</strong>: the layer of this quiz",)
    return (choice.words(),)


def _network() -> Iterator[str]:
    """Say that the network is loading, then which one it is."""
    yield LOADING
    try:
        net = _shown_network()
    except WeightsError as error:
        log.error("%s", error.in_terminal())
        yield html.escape(f"VGG16 could not be loaded: {error}")
        return
    device = pick_device()  # not the network's: on ZeroGPU, threads see weights "on the GPU" as the CPU's
    precision = str(fast_dtype(device)).removeprefix("torch.")
    ready = f"VGG16 is ready: {net.origin}. Computing on {device.type}, ascents in {precision}."
    classes = "" if net.origin.classes else f"To see how VGG16 classifies a photo, {GET_WHOLE_NETWORK}."
    yield html.escape(" ".join(filter(None, [ready, classes, input_warning(load_vgg16(SHEET_DEVICE))])))


def _shown_network() -> VGG16:
    """The network in use. Raises WeightsError, also for a network other than VGG16, whose layers the page offers."""
    net = load_vgg16()
    if net.architecture != OFFERED:
        file = f"weights file {net.origin.path.name!r} holds {net.architecture.name}"
        raise WeightsError(f"{file}, but the page shows only VGG16: use the command line.")
    return net


def launch_options() -> dict[str, Any]:
    """How to launch the page, on Spaces and elsewhere."""
    return {
        "theme": theme(),
        "css": CSS,
        "head": HEAD,
        "show_error": False,  # what a visitor may read is raised as gr.Error; the rest belongs in the log
        "ssr_mode": False,
        "max_file_size": MAX_PHOTO_BYTES,
        "state_session_capacity": 300,
        "enable_monitoring": False,
        "app_kwargs": {"routes": ROUTES, "middleware": [Middleware(CompressedPage)]},
        "footer_links": ["api", "settings"],
    }


def serve(page: gr.Blocks) -> None:
    """Load the network, then serve the page until the process is told to end.

    Without a network, say why in one line and exit with code 2. Requests are logged on standard output.
    """
    return_what_is_free()
    try:
        _shown_network()
    except WeightsError as error:
        print(f"cnnvis: {error.in_terminal()}", file=sys.stderr)
        sys.exit(2)
    monitoring.print_lines()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, _end)
    show_first_wall(page)
    with _no_proxy():
        page.launch(**launch_options(), prevent_thread_lock=True)
    page.block_thread()


def show_first_wall(page: gr.Blocks) -> None:
    """Send the first wall with the page: without it, a visitor would see tiles only after two more answers."""
    html_parts = (part for part in page.blocks.values() if isinstance(part, gr.HTML))
    next(part for part in html_parts if part.elem_id == "wall").value = first_wall()


@contextmanager
def _no_proxy() -> Iterator[None]:
    """Hide the environment's proxies: Gradio 6.31 asks its own address through them whether it is up.

    It can go when Gradio asks without them (httpx's `trust_env=False`).
    """
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.lower() in PROXIES}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _end(number: int, _: Any) -> None:
    """End at once, whatever is being computed.

    Otherwise Python would ignore SIGTERM as the first process of a container; and winding down the interpreter while
    another thread computes in PyTorch crashes it.
    """
    remove_folder()
    sys.stdout.flush()
    os._exit(0 if number == signal.SIGTERM else 130)


def healthz(request: Request) -> JSONResponse:
    """200 while the network is loaded and the queues run, otherwise 503; also how many wait for an ascent."""
    page = request.app.get_blocks()
    network, queue = is_loaded(), not page._queue.stopped
    state = {"network_loaded": network, "queue_running": queue, "ascents_waiting": len(line_of(page))}
    return JSONResponse(state, 200 if network and queue else 503)


class CompressedPage:
    """Compresses the page itself to a sixth: Gradio 6.31 does so only with files, which it tells by their suffix.

    It can go when Gradio does.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.plain, self.compressed = app, GZipMiddleware(app, compresslevel=4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        is_page = scope["type"] == "http" and scope["path"].endswith("/")
        await (self.compressed if is_page else self.plain)(scope, receive, send)


ROUTES = [Route("/healthz", healthz)]
