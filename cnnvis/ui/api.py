"""The endpoints that programs call. Each has hidden components of its own, and so its own defaults.

A function's signature is its endpoint: names, defaults, and what each input may be. Gradio does not read the inputs
(`preprocess=False`): the engine checks every value and words every refusal.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import gradio as gr
from gradio.events import api
from gradio.route_utils import get_root_url
from PIL import Image

import cnnvis
from cnnvis.analysis.filters import VIEWS, check_sheet
from cnnvis.analysis.groups import FEWEST_GROUPS, MOST_GROUPS
from cnnvis.analysis.maps import CONTRASTS, ORDERS, PIPELINES, check_layer, check_looks, draw_map
from cnnvis.analysis.places import GRID, MOST_NAMED
from cnnvis.analysis.why import MOST_COUNT, MOST_DEPTH
from cnnvis.analysis.wiring import MOST_WIRES
from cnnvis.maximization.recipes import CHOICES, RECIPES, Settings, limits
from cnnvis.maximization.score import scored_record
from cnnvis.network.architecture import ARCHITECTURE, CLASS, CONVOLUTIONS, LAYERS, check_channel, find_layer
from cnnvis.network.vgg import VGG16
from cnnvis.network.weights import load_for
from cnnvis.prepared.concepts import concept_layers
from cnnvis.prepared.quiz import ABOUT, MOST_QUESTIONS, REFERENCES, SIDES, Question, check_quiz
from cnnvis.prepared.shelf import MAX_EXEMPLARS
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.endpoints import add_endpoint
from cnnvis.ui.serving.files import bytes_file, file_url, picture_file
from cnnvis.ui.serving.gpu import SHEET_DEVICE, grow
from cnnvis.ui.serving.handlers import HEAVY, LIGHT, plain_errors
from cnnvis.ui.serving.photos import StoredPhoto, given_photo, store_photo
from cnnvis.ui.serving.queues import admit, make_way


def _limited(name: str, meaning: str) -> str:
    low, high = limits("cuda")[name]
    return f"{low} to {high}; {meaning}"


ALL_LAYERS = tuple(layer.name for layer in LAYERS)
CHANNELS = f"0 to {max(layer.channels for layer in LAYERS) - 1}, fewer in shallow layers"

# What an input may be: a word, with the words that the engine knows; a number or a photo, in words.
Convolution = Annotated[str, CONVOLUTIONS]
AnyLayer = Annotated[str, ALL_LAYERS]
Pipeline = Annotated[str, PIPELINES]
Channel = Annotated[int, CHANNELS]
Cell = Annotated[int | None, "of the map, from 0; null for where the map is largest"]
Place = Annotated[int | None, f"of the grid of at most {GRID} × {GRID}, from 0; null for the most unusual place"]
Named = Annotated[int, f"1 to {MOST_NAMED} channels"]
ConceptLayer = Annotated[str, tuple(layer.name for layer in concept_layers(ARCHITECTURE))]
ConceptNumber = Annotated[int | None, "from 0; null for all of the layer"]
GroupCount = Annotated[int, f"{FEWEST_GROUPS} to {MOST_GROUPS} groups"]
Photo = Annotated[Any, "a photo, at most 25 megapixels and 15 MB"]
QuizSeed = Annotated[int, "same seed, same questions"]
Questions = Annotated[int, f"1 to {MOST_QUESTIONS}"]
Reference = Annotated[str, REFERENCES]
About = Annotated[str, ABOUT]


def add_endpoints() -> None:
    """Add everything that programs call to the page."""
    api(layers, api_name="layers", **LIGHT)
    with gr.Column(visible=False):
        picture, overlay = gr.Image(label="picture", type="filepath"), gr.Image(label="overlay", type="filepath")
        record = gr.JSON(label="record")
        drawing: list[Callable[..., Any]] = [filters, feature_maps, feature_map, exemplars, atlas]
        drawing += [groups, mosaic, concepts]
        for function in drawing:
            add_endpoint(function, [picture, overlay, record] if function is feature_map else [picture, record])
        telling: list[Callable[..., Any]] = [wiring, why, dictionary, quiz, quiz_answers]
        for function in telling:
            add_endpoint(function, [record])
        add_endpoint(maximize, [picture, record], {**HEAVY, "validator": admit})


def layers() -> list[dict]:  # type: ignore[type-arg]  # gr.api knows only the bare dict
    """The 31 layers of VGG16's convolutional half, in order."""
    return [layer.as_dict() for layer in LAYERS]


def _network_for(layer: str) -> VGG16:
    return load_for(find_layer(layer), SHEET_DEVICE)


@plain_errors
def filters(
    layer: Convolution = "conv1_1",
    view: Annotated[str, VIEWS] = "auto",
    input_channel: Annotated[int, f"whose kernels to draw, {CHANNELS}"] = 0,
) -> tuple[str, dict[str, Any]]:
    """All filters of a convolution on one contact sheet (PNG), with the norm, mean and sparsity of each."""
    net = _network_for(layer)
    sheet, png = cache.filter_sheet(net, *check_sheet(net, layer, view, input_channel))
    return bytes_file(png, f"{sheet.layer}-filters.png"), sheet.record()


@plain_errors
def feature_maps(
    image: Photo,
    layer: AnyLayer = "conv1_1",
    pipeline: Pipeline = "network",
    order: Annotated[str, ORDERS] = "index",
    contrast: Annotated[str, CONTRASTS] = "map",
) -> tuple[str, dict[str, Any]]:
    """All feature maps of a photo at a layer on one contact sheet (JPEG); strength[i] belongs to channel order[i]."""
    net = _network_for(layer)
    checked = check_layer(net, layer, pipeline)
    check_looks(net, pipeline, order, contrast)
    sheet, jpeg = cache.map_sheet(net, _photo_of(image), checked, pipeline, order, contrast)
    return bytes_file(jpeg, f"{sheet.layer}-maps.jpg"), sheet.record()


@plain_errors
def feature_map(
    image: Photo, layer: AnyLayer = "conv1_1", channel: Channel = 0, pipeline: Pipeline = "network"
) -> tuple[str, str, dict[str, Any]]:
    """One channel's feature map of a photo (PNG), the same laid over the photo (PNG), and its range."""
    net = _network_for(layer)
    checked = check_layer(net, layer, pipeline)
    number = check_channel(channel, checked)
    drawn = draw_map(cache.feature_maps(net, _photo_of(image), checked, pipeline), number)
    name = f"{drawn.layer}-map-{drawn.channel}"
    return picture_file(drawn.picture, name), picture_file(drawn.overlay, f"{name}-overlay"), drawn.record()


@plain_errors
def exemplars(
    layer: Convolution = "conv5_3", channel: Channel = 0, count: Annotated[int, f"1 to {MAX_EXEMPLARS} photos"] = 9
) -> tuple[str, dict[str, Any]]:
    """The photos of the shelf that excite a channel most, as patches on one contact sheet (PNG), with their credits."""
    sheet = cnnvis.exemplars(layer, channel, count)
    record = sheet.record()
    return picture_file(sheet.picture, f"{sheet.layer}-{sheet.channel}-exemplars", record=record), record


@plain_errors
def atlas(layer: Convolution = "conv5_3") -> tuple[str, dict[str, Any]]:
    """The picture of every channel of a convolution, grown ahead, on one sheet (WebP), and how each was grown."""
    convolution = find_layer(layer, "conv")
    record = cache.atlas_sheet(convolution).record()
    return bytes_file(cache.atlas_webp(convolution), f"{convolution.name}-atlas.webp"), record


@plain_errors
def wiring(
    layer: Convolution = "conv3_1", channel: Channel = 0, count: Annotated[int, f"1 to {MOST_WIRES} of either kind"] = 8
) -> dict[str, Any]:
    """What a filter reads in the layer before, and which filters of the next convolution read it, strongest first."""
    return cnnvis.wiring(_network_for(layer), layer, channel, count).record()


@plain_errors
def why(
    image: Photo,
    layer: Convolution = "conv3_1",
    channel: Channel = 0,
    row: Cell = None,
    column: Cell = None,
    count: Annotated[int, f"1 to {MOST_COUNT} inputs named at every node"] = 5,
    depth: Annotated[int, f"1 to {MOST_DEPTH} layers back"] = 3,
) -> dict[str, Any]:
    """Why a filter has its value at one cell of its map: what each input channel adds, several layers back."""
    net = _network_for(layer)
    return cnnvis.why(net, _photo_of(image).path, layer, channel, row, column, count, depth).record()


@plain_errors
def dictionary(
    image: Photo, layer: Convolution = "conv5_1", row: Place = None, column: Place = None, count: Named = 6
) -> dict[str, Any]:
    """What a convolution sees at one place of a photo: the channels furthest above what is usual, and their direction.

    The direction can be grown: give it to /maximize.
    """
    return cnnvis.dictionary(_network_for(layer), _photo_of(image).path, layer, row, column, count).record()


@plain_errors
def groups(image: Photo, layer: Convolution = "conv5_1", count: GroupCount = 6) -> tuple[str, dict[str, Any]]:
    """Channels of a convolution that rise and fall together over a photo, and where, on one sheet (JPEG)."""
    found = cnnvis.groups(_network_for(layer), _photo_of(image).path, layer, count)
    return picture_file(found.picture, f"{found.layer}-groups", "jpeg"), found.record()


@plain_errors
def mosaic(image: Photo, layer: Convolution = "conv5_1") -> tuple[str, dict[str, Any]]:
    """What a convolution sees all over a photo (JPEG): at each place the picture of its most unusual channel."""
    drawn = cnnvis.mosaic(_network_for(layer), _photo_of(image).path, layer)
    return picture_file(drawn.picture, f"{drawn.layer}-mosaic", "jpeg"), drawn.record()


@plain_errors
def concepts(layer: ConceptLayer = "conv5_3", concept: ConceptNumber = None) -> tuple[str, dict[str, Any]]:
    """What channels of a deep layer say together in many photos: a picture of every concept on one sheet, or of one.

    Each has its share, coherence and stability, its channels, the photos that have most of it, and a direction, which
    can be grown: give it to /maximize.
    """
    found = cnnvis.concepts(layer)
    if concept is None:
        return picture_file(found.picture, f"{found.layer}-concepts"), found.record()
    one = found[concept]
    name = f"{found.layer}-concept-{one.concept}"
    return picture_file(found.tile(one.concept), name), found.record([one])


def _photo_of(image: Any) -> StoredPhoto:
    """The photo that an endpoint was given, in the page's own store. Raises PhotoError."""
    return store_photo(given_photo(image))


@plain_errors
def maximize(
    layer: Annotated[str, (*ALL_LAYERS, CLASS)] = "conv3_1",
    channel: Annotated[int, f"{CHANNELS}; of class 0 to {ARCHITECTURE.classes - 1}"] = 0,
    recipe: Annotated[str, tuple(RECIPES)] = Settings.recipe,
    steps: Annotated[
        int, _limited("steps", "at most this many; 0 for the recipe's own number at that depth")
    ] = Settings.steps,
    size: Annotated[
        int, _limited("size", f"px, on a CPU at most {limits('cpu')['size'][1]}; or 0 for the layer's own")
    ] = Settings.size,
    seed: Annotated[int, _limited("seed", "same seed, same picture")] = Settings.seed,
    seconds: Annotated[float, _limited("seconds", "stop after this many seconds; 0 for never")] = Settings.seconds,
    objective: Annotated[str, CHOICES["objective"]] = Settings.objective,
    image: Annotated[Any, "start from this photo instead of noise"] = None,
    direction: Annotated[str | None, 'instead of `channel`, several with a weight each: {"17": 0.8, "42": 0.4}'] = None,
    colour: Annotated[str | None, 'that the noise begins around, such as "#a08060"; mid-grey without one'] = None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Grow the picture that activates a channel most: a stream of pictures and records.

    The last picture is a PNG that contains its record, and its record has the score.
    """
    target = ARCHITECTURE.read_target(layer, direction) if direction else ARCHITECTURE.target(layer, channel)
    settings = {"steps": steps, "size": size, "seed": seed, "seconds": seconds, "objective": objective}
    settings["colour"] = colour or ""
    for (snapshot,) in make_way(grow([target], recipe, given_photo(image), settings)):
        name = f"{snapshot.layer}-{target.short}-{snapshot.step}"
        if not snapshot.last:
            yield picture_file(snapshot.picture, name, "jpeg"), snapshot.record()
    record = scored_record(load_for(target.layer, SHEET_DEVICE), snapshot)
    yield picture_file(snapshot.picture, name, record=record), record


@plain_errors
def quiz(
    request: gr.Request,
    seed: QuizSeed = 0,
    layer: Convolution = "conv5_1",
    questions: Questions = 10,
    reference: Reference = "picture",
    about: About = "channels",
) -> list[dict[str, Any]]:
    """Questions about channels of a convolution: which of two patches of photos, left or right, activates it more.

    Each shows the channel's grown picture, or the nine photos that activate it most. In deep layers they can be about
    concepts instead: `channel` is then null, and `concept` the number.
    """
    http = request.request
    assert http
    root = get_root_url(http, http.url.path, http.scope.get("root_path") or None)  # as the program sees it
    return [_asked(question, root) for question in cache.asked(*check_quiz(seed, layer, questions, reference, about))]


@plain_errors
def quiz_answers(
    seed: QuizSeed = 0,
    layer: Convolution = "conv5_1",
    questions: Questions = 10,
    reference: Reference = "picture",
    about: About = "channels",
) -> list[dict[str, Any]]:
    """The answers to the questions of /quiz with the same arguments: each value, and the photos' credits."""
    return [question.solution() for question in cache.asked(*check_quiz(seed, layer, questions, reference, about))]


def _asked(question: Question, root: str) -> dict[str, Any]:
    def url(picture: Image.Image) -> str:
        return f"{root}/{file_url(picture_file(picture, 'picture', 'jpeg'))}"

    pictures = list(map(url, question.pictures))
    grown = question.reference == "picture"
    return {
        "question": question.question,
        "layer": question.layer,
        "channel": question.channel if question.concept is None else None,
        "concept": question.concept,
        "reference": {"picture": pictures[0] if grown else None, "photos": [] if grown else pictures},
        **dict(zip(SIDES, map(url, question.sides), strict=True)),
    }
