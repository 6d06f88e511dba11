"""The Activation maximization tab: pictures that grow from noise, their scores, their files, and the ladder."""

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from cnnvis.checks import whole_number
from cnnvis.errors import GET_WHOLE_NETWORK, ChannelError, PhotoError, short
from cnnvis.maximization.ascent import build_record
from cnnvis.maximization.experiment import Experiment, differences, read_experiment
from cnnvis.maximization.recipes import CHOICES, RECIPES, Settings, limits, settle
from cnnvis.network.architecture import ARCHITECTURE, CLASS, Target
from cnnvis.network.classes import CLASSES
from cnnvis.network.precision import precision_of
from cnnvis.network.weights import load_vgg16, pick_device
from cnnvis.ui.parts.base import html_block
from cnnvis.ui.parts.choice import SAVED, Choice
from cnnvis.ui.parts.follow import Follower, Shared
from cnnvis.ui.serving.files import file_url, picture_file
from cnnvis.ui.serving.gpu import grow_ladder, missing_gpu
from cnnvis.ui.serving.handlers import PAGE, QUICK, readable_errors
from cnnvis.ui.serving.photos import find_photo
from cnnvis.ui.tabs.maps.seen import aimed
from cnnvis.ui.tabs.maximize.growing import Growing, grow_targets
from cnnvis.ui.tabs.maximize.line import join, line
from cnnvis.ui.tabs.maximize.preview import preview, preview_value
from cnnvis.ui.tabs.maximize.stage import stage
from cnnvis.ui.tabs.maximize.visitor import VisitorAscent
from cnnvis.ui.texts import ABOUT_LADDER, ABOUT_MAXIMIZE
from cnnvis.views.figures import written
from cnnvis.views.html import gallery

RECIPE_NAMES = {
    "fourier": "fourier: clear and quick",
    "maco": "maco: calmer, closer to a photo",
    "deepdream": "deepdream: changes your photo a little",
    "erhan": "erhan: as in the original notebooks",
}
OBJECTIVE_NAMES = {
    "channel": "Maximise the whole map",
    "centre": "Maximise its centre only",
    "negative": "Minimise the whole map",
}
CONTROLLED = ("seed", "steps", "size", "seconds", "objective")  # the settings with a control on the page
MAX_CHANNELS = 4  # that grow at once


def layout(shared: Shared) -> Follower:
    """Lay out the tab; return what of it follows the choice."""
    with gr.Row(elem_id="growing"):
        target = gr.Markdown(_heading(Choice()), elem_id="target")
        start = gr.Button("Grow", variant="primary", size="md", elem_id="start", min_width=90)
        stop = gr.Button("Stop", size="md", elem_id="stop", interactive=False, min_width=90)
    slot = line("waiting")
    with gr.Row():
        with gr.Column(scale=4, min_width=280):
            before = preview("preview")
            shown = stage("stage")
        with gr.Column(scale=3, min_width=240):
            card = gr.HTML(elem_id="score-card")
            with gr.Accordion("Options: recipe, seed, size", open=False, elem_id="advanced"):
                recipes = [(RECIPE_NAMES[name], name) for name in RECIPES]
                recipe = gr.Radio(recipes, value="fourier", label="Recipe", elem_id="recipe")
                settings, others, class_number, from_photo = _advanced()
            with gr.Accordion("Repeat a saved picture", open=False, elem_id="repeat"):
                saved = gr.File(label="A PNG downloaded here", file_types=[".png"], height=120, elem_id="saved")
                note = gr.Markdown("Drop it here and press Grow: it contains its settings.", elem_classes="quiet")
    _ladder(shared, settings["seed"])
    gr.Markdown(ABOUT_MAXIMIZE, elem_classes="quiet")

    direction = gr.State(("", ""))  # of a saved picture, as JSON, and the colour that it began around
    inputs = [shared.layer_picker, shared.photo, shared.row, shared.column, direction]
    inputs += [recipe, others, class_number, from_photo]
    Growing(start, stop, slot, shown, card).connect(_grow, [*inputs, *(settings[name] for name in CONTROLLED)])
    all_settings = {"recipe": recipe, **settings}
    restored = [shared.layer_picker, *all_settings.values(), others, class_number, from_photo, note, direction]
    repeated = saved.upload(_repeat, saved, restored, **PAGE, **QUICK)
    controls = {name: all_settings[name] for name in ("recipe", "steps", "size", "seed")}
    return Follower(_draw, [], [target, before], after=[repeated], controls=controls)


def _draw(choice: Choice) -> tuple[str, str]:
    return _heading(choice), preview_value(choice)


def _advanced() -> tuple[dict[str, Any], gr.Textbox, gr.Dropdown, gr.Checkbox]:
    """The settings by name, steps and size within the engine's limits; more channels; a class; start from the photo."""
    bounds, default = limits(pick_device()), Settings()
    objectives = [(OBJECTIVE_NAMES[name], name) for name in CHOICES["objective"]]
    side = f"Size in px, from {bounds['size'][0]:.0f} (0: room for one thing that the layer looks for)"
    own, limit = "Steps (0: the recipe's own number)", "Stop after this many seconds (0: never)"
    settings = {
        "seed": gr.Number(default.seed, label="Seed: same seed, same picture", precision=0, elem_id="seed"),
        "steps": gr.Slider(*bounds["steps"], default.steps, step=1, label=own, elem_id="steps"),
        "size": gr.Slider(0, bounds["size"][1], default.size, step=32, label=side, elem_id="size"),
        "seconds": gr.Slider(0, 60, default.seconds, step=1, label=limit, elem_id="seconds"),
        "objective": gr.Radio(objectives, value=default.objective, label="Objective", elem_id="objective"),
    }
    also = f"More channels of the layer: up to {MAX_CHANNELS - 1}, e.g. 17, 42"
    others = gr.Textbox("", label=also, placeholder="none", elem_id="others")
    classes = [("none", ""), *((name, str(number)) for number, name in enumerate(CLASSES))]
    instead, info = "A class of the whole network, instead of the channel", f"For this, {GET_WHOLE_NETWORK}."
    class_number = gr.Dropdown(classes, value="", label=instead, info=info, elem_id="class")
    from_photo = gr.Checkbox(False, label="Start from the photo, not from noise", elem_id="from-photo")
    return settings, others, class_number, from_photo


def _ladder(shared: Shared, seed: gr.Number) -> None:
    """Lay out the ladder."""
    with gr.Accordion("The ladder: adding one regulariser at a time", open=False, elem_id="ladder-box"):
        gr.Markdown(ABOUT_LADDER, elem_classes="quiet")
        with gr.Row():
            start = gr.Button("Run the ladder", size="sm", elem_id="climb")
            stop = gr.Button("Stop", size="sm", elem_id="climb-stop")
        slot = line("ladder-waiting")
        rungs = html_block("ladder")
    _, running = join(start, slot, _run_ladder, [shared.layer_picker, seed], rungs)
    stop.click(None, None, None, cancels=[running], **PAGE)


def _heading(choice: Choice) -> str:
    """What grows: the channel or concept, or what the layer sees at the chosen place or in a group of the photo."""
    if choice.of == SAVED:
        return f"### A direction of {choice.layer.name}, from a saved picture"
    if choice.concept is not None:
        return f"### {choice.layer.convolution} · concept {choice.concept}"
    if choice.of:
        where = "here" if choice.of == "place" else f"in group {choice.of.removeprefix('group')}"
        return f"### What {choice.layer.convolution} sees {where}, in the photo"
    return f"### {choice.layer.name} · channel {choice.channel}"


@readable_errors
def _grow(
    request: gr.Request | None,
    picked: Any,
    digest: str,
    row: float | None,
    column: float | None,
    direction: tuple[str, str],
    recipe: str,
    others: str,
    class_number: str,
    from_photo: bool,
    *values: Any,
) -> Iterator[tuple[str, VisitorAscent]]:
    choice = Choice.read(picked)
    if class_number:
        chosen, colour = ARCHITECTURE.target(CLASS, class_number), ""
    elif choice.of == SAVED:
        chosen, colour = ARCHITECTURE.read_target(choice.layer.name, direction[0]), direction[1]
    else:
        chosen, colour = aimed(choice, digest, row, column)
    targets = {target.short: target for target in (chosen, *_more(chosen, others))}
    settings = {name: value or 0 for name, value in zip(CONTROLLED, values, strict=True)}  # an emptied field means 0
    settings["colour"] = colour
    photo = find_photo(digest) if from_photo or recipe == "deepdream" else None
    if from_photo and photo is None:
        raise PhotoError("there is no photo to start from: choose one at the top of the page, or start from noise.")
    yield from grow_targets(request, list(targets.values()), recipe, photo.path if photo else None, settings)


def _more(chosen: Target, text: str) -> list[Target]:
    """The further channels of the layer that the visitor wrote down. Raises ChannelError."""
    numbers = [whole_number(word) for word in text.replace(",", " ").split()]
    if None in numbers or len(numbers) >= MAX_CHANNELS:
        wanted = f"up to {MAX_CHANNELS - 1} whole numbers, e.g. 17, 42"
        raise ChannelError(f"more channels {short(text)} cannot be read: give {wanted}.")
    return [ARCHITECTURE.target(chosen.layer.name, number) for number in numbers]


@readable_errors
def _repeat(file: str | None) -> tuple[Any, ...]:
    """Set the choice and the controls to the experiment in a saved picture."""
    made = read_experiment(file or "", pick_device())
    values = {name: getattr(made.settings, name) for name in ("recipe", *CONTROLLED)}
    of_class = made.target.layer.kind == "class"
    direction = made.target.direction
    leading = ARCHITECTURE.target(made.target.layer.name, max(direction, key=direction.__getitem__))
    of = "" if isinstance(made.channel, int) else SAVED
    choice = gr.skip() if of_class else Choice(leading, of=of).value()
    class_number = str(made.channel) if of_class else ""
    started = bool(made.start_sha256)
    kept = json.dumps(made.target.written), made.settings.colour
    return choice, *values.values(), "", class_number, started, _about(made, values), kept


def _about(made: Experiment, values: dict[str, Any]) -> str:
    """What the saved picture shows, and what of it the page cannot reproduce."""
    words = f"This is {made.target}, recipe {values['recipe']}, seed {values['seed']}. Press Grow."
    controlled = {name: values[name] for name in CONTROLLED}
    if not isinstance(made.channel, int):
        controlled["colour"] = made.settings.colour
    settled = settle(values["recipe"], made.target.layer, pick_device(), **controlled)
    if odd := [name for name in vars(settled) if getattr(settled, name) != getattr(made.settings, name)]:
        words += f" The page cannot set its {', '.join(odd)}; use `maximize --like` to reproduce them."
    net = load_vgg16()
    if note := differences(made, build_record(net, precision_of(made.settings.precision, net.device))):
        words += f" {note}"
    if made.start_sha256:
        words += " It grew from a photo that the file does not contain: choose that photo at the top of the page."
    return words


@readable_errors
def _run_ladder(picked: Any, seed: float | None) -> Iterator[str]:
    shown: dict[str, tuple[str, str]] = {}
    for rung in grow_ladder(Choice.read(picked).target, int(seed or 0)):
        shown = {} if rung.name in shown else shown  # it began again on the CPU
        saved, robust = (written(value, ".1f") for value in (rung.score.saved_activation, rung.score.robust))
        figures = [f"saved activation {saved}", f"robust activation {robust}", missing_gpu(rung.snapshot)]
        caption = f"{rung.name}: {', '.join(filter(None, figures))}"
        name = f"{rung.snapshot.layer}-{rung.snapshot.channel}-rung{len(shown) + 1}"
        shown[rung.name] = (file_url(picture_file(rung.picture, name)), caption)
        yield gallery(shown.values())
