"""The endpoints that programs call. Each has hidden components of its own, and so its own defaults.

Gradio does not read their inputs (`preprocess=False`): the engine checks every value and words every refusal.
"""

from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.events import api
from gradio.route_utils import get_root_url
from PIL import Image

import cnnvis
from cnnvis.analysis.filters import VIEWS, check_sheet
from cnnvis.analysis.maps import CONTRASTS, ORDERS, PIPELINES, check_layer, check_looks, draw_map
from cnnvis.analysis.why import MOST_COUNT, MOST_DEPTH
from cnnvis.analysis.wiring import MOST_WIRES
from cnnvis.maximization.recipes import CHOICES, RECIPES, Settings, limits
from cnnvis.maximization.score import scored_record
from cnnvis.network.architecture import ARCHITECTURE, CLASS, CONVOLUTIONS, LAYERS, check_channel, find_layer
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import load_for
from cnnvis.prepared.quiz import MOST_QUESTIONS, REFERENCES, SIDES, Question, check_quiz
from cnnvis.prepared.shelf import MAX_EXEMPLARS
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.files import bytes_file, file_url, picture_file
from cnnvis.ui.serving.gpu import SHEET_DEVICE, grow
from cnnvis.ui.serving.handlers import HEAVY, LIGHT, readable_errors
from cnnvis.ui.serving.photos import StoredPhoto, given_photo, store_photo
from cnnvis.ui.serving.queues import admit, make_way

ALL_LAYERS = [layer.name for layer in LAYERS]
DEFAULTS = Settings()
WIDEST = max(layer.channels for layer in LAYERS)
CHANNEL = f"channel: 0 to {WIDEST - 1}, fewer in shallow layers"


def add_endpoints() -> None:
    """Add everything that programs call to the page."""
    api(layers, api_name="layers", **LIGHT)
    with gr.Column(visible=False):
        picture, second = gr.Image(label="picture", type="filepath"), gr.Image(label="overlay", type="filepath")
        record = gr.JSON(label="record")
        _endpoint(filters, _filter_inputs(), [picture, record], LIGHT)
        _endpoint(feature_maps, _map_inputs(), [picture, record], LIGHT)
        _endpoint(feature_map, _one_map_inputs(), [picture, second, record], LIGHT)
        _endpoint(exemplars, _exemplar_inputs(), [picture, record], LIGHT)
        _endpoint(atlas, [_words("layer", CONVOLUTIONS, "conv5_3")], [picture, record], LIGHT)
        _endpoint(wiring, _wiring_inputs(), [record], LIGHT)
        _endpoint(why, _why_inputs(), [record], LIGHT)
        _endpoint(quiz, _quiz_inputs(), [record], LIGHT)
        _endpoint(quiz_answers, _quiz_inputs(), [record], LIGHT)
        _endpoint(maximize, _ascent_inputs(), [picture, record], {**HEAVY, "validator": admit})


def _endpoint(function: Any, inputs: list[Any], outputs: list[Any], queue: dict[str, Any]) -> None:
    description = " ".join((function.__doc__ or "").split())
    name = function.__name__
    event: dict[str, Any] = {"api_name": name, "api_description": description, "preprocess": False, **queue}
    gr.Button(name).click(function, inputs, outputs, **event)


def _words(label: str, allowed: list[str] | tuple[str, ...], value: str) -> gr.Dropdown:
    return gr.Dropdown(list(allowed), value=value, label=label, allow_custom_value=True)


def _number(name: str, meaning: str) -> gr.Number:
    low, high = limits("cuda")[name]
    return gr.Number(getattr(DEFAULTS, name), label=f"{name}: {low} to {high}; {meaning}")


def _photo(meaning: str = "a photo, at most 25 megapixels and 15 MB") -> gr.Image:
    return gr.Image(type="filepath", label=f"image: {meaning}")


def _filter_inputs() -> list[Any]:
    return [
        _words("layer", CONVOLUTIONS, "conv1_1"),
        _words("view", VIEWS, "auto"),
        gr.Number(0, label=f"input_channel: whose kernels to draw, 0 to {WIDEST - 1}, fewer in shallow layers"),
    ]


def _map_inputs() -> list[Any]:
    return [
        _photo(),
        _words("layer", ALL_LAYERS, "conv1_1"),
        _words("pipeline", PIPELINES, "network"),
        _words("order", ORDERS, "index"),
        _words("contrast", CONTRASTS, "map"),
    ]


def _one_map_inputs() -> list[Any]:
    return [
        _photo(),
        _words("layer", ALL_LAYERS, "conv1_1"),
        gr.Number(0, label=CHANNEL),
        _words("pipeline", PIPELINES, "network"),
    ]


def _exemplar_inputs() -> list[Any]:
    return [
        _words("layer", CONVOLUTIONS, "conv5_3"),
        gr.Number(0, label=CHANNEL),
        gr.Number(9, label=f"count: 1 to {MAX_EXEMPLARS} photos"),
    ]


def _wiring_inputs() -> list[Any]:
    return [
        _words("layer", CONVOLUTIONS, "conv3_1"),
        gr.Number(0, label=CHANNEL),
        gr.Number(8, label=f"count: 1 to {MOST_WIRES} of either kind"),
    ]


def _why_inputs() -> list[Any]:
    return [
        _photo(),
        _words("layer", CONVOLUTIONS, "conv3_1"),
        gr.Number(0, label=CHANNEL),
        gr.Number(None, label="row: of the map, from 0; null for where the map is largest"),
        gr.Number(None, label="column: of the map, from 0; null for where the map is largest"),
        gr.Number(5, label=f"count: 1 to {MOST_COUNT} inputs named at every node"),
        gr.Number(3, label=f"depth: 1 to {MOST_DEPTH} layers back"),
    ]


def _quiz_inputs() -> list[Any]:
    return [
        gr.Number(0, label="seed: same seed, same questions"),
        _words("layer", CONVOLUTIONS, "conv5_1"),
        gr.Number(10, label=f"questions: 1 to {MOST_QUESTIONS}"),
        _words("reference", REFERENCES, "picture"),
    ]


def _ascent_inputs() -> list[Any]:
    return [
        _words("layer", [*ALL_LAYERS, CLASS], "conv3_1"),
        gr.Number(0, label=f"{CHANNEL}; of class 0 to {ARCHITECTURE.classes - 1}"),
        _words("recipe", tuple(RECIPES), "fourier"),
        _number("steps", "at most this many; 0 for the recipe's own number at that depth"),
        _number("size", f"px along a side, on a CPU at most {limits('cpu')['size'][1]}"),
        _number("seed", "same seed, same picture"),
        _number("seconds", "stop after this many seconds; 0 for never"),
        _words("objective", CHOICES["objective"], "channel"),
        _photo("start from this photo instead of noise"),
    ]


def layers() -> list[dict]:  # type: ignore[type-arg]  # Gradio reads this annotation, and knows only the bare dict
    """The 31 layers of VGG16's convolutional half, in order."""
    return [layer.as_dict() for layer in LAYERS]


def _network_for(layer: str) -> VGG16:
    return load_for(find_layer(layer), SHEET_DEVICE)


@readable_errors
def filters(layer: str, view: str, input_channel: int) -> tuple[str, dict[str, Any]]:
    """All filters of a convolution on one contact sheet (PNG), with the norm, mean and sparsity of each."""
    net = _network_for(layer)
    drawn, png = cache.filter_sheet(net, *check_sheet(net, layer, view, input_channel))
    return bytes_file(png, f"{drawn.layer}-filters.png"), drawn.record()


@readable_errors
def feature_maps(image: Any, layer: str, pipeline: str, order: str, contrast: str) -> tuple[str, dict[str, Any]]:
    """All feature maps of a photo at a layer on one contact sheet (JPEG); strength[i] belongs to channel order[i]."""
    net = _network_for(layer)
    found = check_layer(net, layer, pipeline)
    check_looks(net, pipeline, order, contrast)
    drawn, jpeg = cache.map_sheet(net, _photo_of(image), found, pipeline, order, contrast)
    return bytes_file(jpeg, f"{drawn.layer}-maps.jpg"), drawn.record()


@readable_errors
def feature_map(image: Any, layer: str, channel: int, pipeline: str) -> tuple[str, str, dict[str, Any]]:
    """One channel's feature map of a photo (PNG), the same laid over the photo (PNG), and its range."""
    net = _network_for(layer)
    found = check_layer(net, layer, pipeline)
    number = check_channel(channel, found)
    drawn = draw_map(cache.feature_maps(net, _photo_of(image), found, pipeline), number)
    name = f"{drawn.layer}-map-{drawn.channel}"
    return picture_file(drawn.picture, name), picture_file(drawn.overlay, f"{name}-overlay"), drawn.record()


@readable_errors
def exemplars(layer: str, channel: int, count: int) -> tuple[str, dict[str, Any]]:
    """The photos of the shelf that excite a channel most, as patches on one contact sheet (PNG), with their credits."""
    found = cnnvis.exemplars(layer, channel, count)
    record = found.record()
    return picture_file(found.picture, f"{found.layer}-{found.channel}-exemplars", record=record), record


@readable_errors
def atlas(layer: str) -> tuple[str, dict[str, Any]]:
    """The picture of every channel of a convolution, grown ahead, on one sheet (WebP), and how each was grown."""
    found = find_layer(layer, "conv")
    record = cache.atlas_sheet(found).record()
    return bytes_file(cache.atlas_webp(found), f"{found.name}-atlas.webp"), record


@readable_errors
def wiring(layer: str, channel: int, count: int) -> dict[str, Any]:
    """What a filter reads in the layer before, and which filters of the next convolution read it, strongest first."""
    return cnnvis.wiring(_network_for(layer), layer, channel, count).record()


@readable_errors
def why(
    image: Any,
    layer: str,
    channel: int,
    row: int | None = None,
    column: int | None = None,
    count: int = 5,
    depth: int = 3,
) -> dict[str, Any]:
    """Why a filter has its value at a place of a photo: what each input channel adds, several layers back."""
    net = _network_for(layer)
    return cnnvis.why(net, _photo_of(image).path, layer, channel, row, column, count, depth).record()


def _photo_of(image: Any) -> StoredPhoto:
    """The photo that an endpoint was given, in the page's own store. Raises PhotoError."""
    return store_photo(given_photo(image))


@readable_errors
def maximize(
    layer: str,
    channel: int,
    recipe: str,
    steps: int,
    size: int,
    seed: int,
    seconds: float,
    objective: str,
    image: Any = None,  # because of this default Gradio tells clients that it may be left out
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Grow the picture that activates a channel most: a stream of pictures and records.

    The last picture is a PNG that contains its record, and its record has the score.
    """
    target = ARCHITECTURE.target(layer, channel)
    settings = {"steps": steps, "size": size, "seed": seed, "seconds": seconds, "objective": objective}
    for (snapshot,) in make_way(grow([target], recipe, given_photo(image), settings)):
        name = f"{snapshot.layer}-{snapshot.channel}-{snapshot.step}"
        if not snapshot.last:
            yield picture_file(snapshot.picture, name, "jpeg"), snapshot.record()
    record = scored_record(load_for(target.layer, SHEET_DEVICE), snapshot)
    yield picture_file(snapshot.picture, name, record=record), record


@readable_errors
def quiz(seed: int, layer: str, questions: int, reference: str, request: gr.Request) -> list[dict[str, Any]]:
    """Questions about channels of a convolution: which of two patches of photos, left or right, activates it more.

    Shown of each channel: the grown picture, or nine photos that activate it most.
    """
    root = _root(request)
    return [_asked(one, root) for one in cache.asked(*check_quiz(seed, layer, questions, reference))]


@readable_errors
def quiz_answers(seed: int, layer: str, questions: int, reference: str) -> list[dict[str, Any]]:
    """The answers to the questions of /quiz with the same arguments: each value, and the photos' credits."""
    return [one.solution() for one in cache.asked(*check_quiz(seed, layer, questions, reference))]


def _asked(one: Question, root: str) -> dict[str, Any]:
    def address(picture: Image.Image) -> str:
        return f"{root}/{file_url(picture_file(picture, 'picture', 'jpeg'))}"

    shown = list(map(address, one.pictures))
    grown = one.reference == "picture"
    return {
        "question": one.question,
        "layer": one.layer,
        "channel": one.channel,
        "reference": {"picture": shown[0] if grown else None, "photos": [] if grown else shown},
        **dict(zip(SIDES, map(address, one.sides), strict=True)),
    }


def _root(request: gr.Request) -> str:
    """The page's own address as whoever asks sees it, also behind a proxy."""
    asked = request.request
    assert asked
    return get_root_url(asked, asked.url.path, asked.scope.get("root_path") or None)
