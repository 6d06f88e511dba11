"""The Activation maximization tab: pictures that grow out of noise, their scores, their files, and the ladder."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from cnnvis.ascent import Snapshot, maximize_many
from cnnvis.classes import CLASSES
from cnnvis.errors import ChannelError, PhotoError, short
from cnnvis.experiment import read_experiment
from cnnvis.images import animation
from cnnvis.ladder import ladder
from cnnvis.recipes import CHOICES, RECIPES, Ascent, limits, settle
from cnnvis.score import scored_record
from cnnvis.ui.choice import Choice
from cnnvis.ui.follow import Follower
from cnnvis.ui.handlers import HEAVY, LIGHT, PAGE, QUICK, bytes_file, file_url, for_people, picture_file
from cnnvis.ui.score_card import score_card
from cnnvis.ui.stage import frame_value, stage, stage_value
from cnnvis.ui.texts import ABOUT_LADDER, ABOUT_MAXIMIZE, WHOLE_NETWORK
from cnnvis.ui.zero import light_network, on_gpu
from cnnvis.vgg import CLASS, find_layer, whole_number
from cnnvis.weights import load_for, load_vgg16, pick_device

RECIPE_NAMES = {
    "fourier": "fourier: clear and quick",
    "maco": "maco: calmer, nearer to a photo",
    "deepdream": "deepdream: grows into the photo of the tab before",
    "erhan": "erhan: the original notebook's",
}
OBJECTIVE_NAMES = {"channel": "The whole map", "centre": "Its centre alone", "negative": "The opposite: least answer"}
SETTINGS = ("seed", "steps", "size", "seconds", "objective")  # what the page lets a visitor turn
AT_ONCE = 4  # channels
_ON, _OFF = (f'{{"__type__": "update", "interactive": {word}}}' for word in ("true", "false"))
# On a phone the stage lies below the controls: whoever pressed Start wants to see both.
_BUSY = f"""() => {{
  const hidden = document.querySelector('#stage').getBoundingClientRect().top > innerHeight - 350;
  if (hidden) document.querySelector('#start').scrollIntoView();
  return [{_OFF}, {_ON}, ''];
}}"""
_IDLE = f"() => [{_ON}, {_OFF}]"


@dataclass
class Climb:
    """An ascent on its way, or at its end: what the server keeps of it for one visitor."""

    run: str = field(default_factory=lambda: secrets.token_hex(4))
    snapshots: list[Snapshot] = field(default_factory=list)  # the newest of each channel
    paths: list[list[str]] = field(default_factory=list)  # of every picture sent: for each moment, for each channel
    frames: list[dict[str, Any]] = field(default_factory=list)
    scored: bool = False


def maximize_tab(bar: gr.HTML, photo: gr.Image) -> tuple[Follower, dict[str, Any]]:
    """Lay out the tab; returns what of it follows the choice, and the controls that belong into an address."""
    gr.Markdown(ABOUT_MAXIMIZE, elem_classes="quiet")
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            target = gr.Markdown(_target(Choice()), elem_id="target")
            recipe = gr.Radio(
                [(RECIPE_NAMES[name], name) for name in RECIPES], value="fourier", label="Recipe", elem_id="recipe"
            )
            with gr.Row():
                start = gr.Button("Start", variant="primary", elem_id="start", min_width=100)
                stop = gr.Button("Stop", elem_id="stop", interactive=False, min_width=100)
            with gr.Accordion("Advanced", open=False, elem_id="advanced"):
                settings = _advanced()
                also = f"More channels of the layer, at most {AT_ONCE - 1}, such as 17, 42"
                others = gr.Textbox("", label=also, placeholder="none", elem_id="others")
                whole = gr.Dropdown(
                    [("none", ""), *((name, str(number)) for number, name in enumerate(CLASSES))],
                    value="",
                    label="Instead of the channel, a class of the whole network",
                    info=WHOLE_NETWORK,
                    elem_id="class",
                )
                from_photo = gr.Checkbox(False, label="Start from the photo instead of noise", elem_id="from-photo")
            with gr.Accordion("Repeat a saved picture", open=False, elem_id="repeat"):
                saved = gr.File(label="A PNG downloaded here", file_types=[".png"], height=120, elem_id="saved")
                found = gr.Markdown("It carries its settings: drop it here, and press Start.", elem_classes="quiet")
        with gr.Column(scale=3, min_width=300):
            shown = stage("stage")
            card = gr.HTML(elem_id="score-card")

    with gr.Accordion("The ladder: the same channel with more and more care", open=False, elem_id="ladder-box"):
        gr.Markdown(ABOUT_LADDER, elem_classes="quiet")
        with gr.Row():
            up = gr.Button("Climb it", size="sm", elem_id="climb")
            down = gr.Button("Stop", size="sm", elem_id="climb-stop")
        rungs = gr.Gallery(columns=5, height="auto", object_fit="contain", elem_id="ladder", label="The ladder")

    grown = gr.State(None)  # the Climb, until it has been scored
    busy = start.click(None, None, [start, stop, card], js=_BUSY)  # at once, without asking the server
    inputs = [bar, photo, recipe, others, whole, from_photo, *(settings[name] for name in SETTINGS)]
    run = busy.then(_grow, inputs, [shown, grown], **PAGE, **HEAVY)
    scored = run.then(_finish, grown, [shown, card], **PAGE, **LIGHT)  # after its end as after Stop
    for end in (run.failure, scored.then, scored.failure):  # `then` does not follow a failure: nothing may lock Start
        end(None, None, [start, stop], js=_IDLE)
    stop.click(None, None, None, cancels=[run], **PAGE)
    climb = up.click(_climb_ladder, [bar, settings["seed"]], rungs, **PAGE, **HEAVY)
    down.click(None, None, None, cancels=[climb], **PAGE)
    told = {"recipe": recipe, **settings}
    repeated = saved.upload(_repeat, saved, [bar, *told.values(), others, whole, found], **PAGE, **QUICK)
    heading = Follower("maximize", lambda choice: (_target(choice),), [], [target], after=[repeated])
    return heading, {name: told[name] for name in ("recipe", "steps", "size", "seed")}


def _advanced() -> dict[str, Any]:
    """Controls for the settings worth turning, by name; what they allow stands in the settings themselves."""
    bounds, default = limits(pick_device()), Ascent()
    seed = "Seed: same seed, same picture"
    own = "Steps (0: the recipe's own number)"
    objectives = [(OBJECTIVE_NAMES[name], name) for name in CHOICES["objective"]]
    return {
        "seed": gr.Number(default.seed, label=seed, precision=0, elem_id="seed"),
        "steps": gr.Slider(*bounds["steps"], default.steps, step=1, label=own, elem_id="steps"),
        "size": gr.Slider(*bounds["size"], default.size, step=16, label="Size in px", elem_id="size"),
        "seconds": gr.Slider(0, 60, default.seconds, step=1, label="Stop after seconds (0: never)", elem_id="seconds"),
        "objective": gr.Radio(objectives, value=default.objective, label="What of the channel", elem_id="objective"),
    }


def _target(choice: Choice) -> str:
    return f"### {choice.layer} · channel {choice.channel}"


@for_people
@on_gpu
def _grow(
    bar: Any, photo: str | None, recipe: str, others: str, whole: str, from_photo: bool, *values: Any
) -> Iterator[tuple[str, Climb]]:
    choice = Choice.read(bar)
    layer, channel = (CLASS.name, int(whole)) if whole else (choice.layer, choice.channel)
    channels = list(dict.fromkeys([channel, *_more_channels(others)]))
    settings = {name: value or 0 for name, value in zip(SETTINGS, values, strict=True)}  # an emptied field is a 0
    start = photo if from_photo or recipe == "deepdream" else None
    climb = Climb()
    for climb.snapshots in maximize_many(load_for(layer), layer, channels, recipe, start=start, **settings):
        climb.paths.append([picture_file(one.picture, _name(one), "jpeg") for one in climb.snapshots])
        climb.frames.append(frame_value(climb.snapshots, [file_url(path) for path in climb.paths[-1]]))
        yield stage_value(climb.run, climb.snapshots, climb.frames[-1]), climb


def _more_channels(text: str) -> list[int]:
    numbers = [whole_number(word) for word in text.replace(",", " ").split()]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or len(numbers) >= AT_ONCE:
        what = f"at most {AT_ONCE - 1} whole numbers, such as 17, 42"
        raise ChannelError(f"more channels {short(text)} cannot be read: give {what}.")
    return known


def _name(snapshot: Snapshot) -> str:
    return f"{snapshot.layer}-{snapshot.channel}-{snapshot.settings.recipe}-seed{snapshot.settings.seed}"


@for_people
def _finish(climb: Climb | None) -> Iterator[tuple[Any, Any]]:
    """Score the last pictures, whether the ascent ended or was stopped, and offer them with their settings inside."""
    if not climb or climb.scored:  # stopped before anything had grown: what is there is of the time before
        yield gr.skip(), gr.skip()
        return
    climb.scored = True
    last = climb.snapshots[0]
    note = f"finished in {last.seconds:.1f} s" if last.last else f"stopped after {last.seconds:.1f} s"
    yield stage_value(climb.run, climb.snapshots, climb.frames[-1], climb.frames, note=f"{note}; scoring"), gr.skip()
    records: list[dict[str, Any]] = []
    files: list[dict[str, str]] = []
    frames = list(climb.frames)

    def shown() -> str:
        return stage_value(climb.run, climb.snapshots, frames[-1], frames, files, note)

    urls = list(frames[-1]["urls"])
    for i, snapshot in enumerate(climb.snapshots):
        records.append(scored_record(light_network(snapshot.layer), snapshot))
        urls[i] = file_url(picture_file(snapshot.picture, _name(snapshot), record=records[-1]))
        files.append({"PNG": urls[i]})
        frames[-1] = frame_value(climb.snapshots, list(urls))
        yield shown(), score_card(records)
    for i, snapshot in enumerate(climb.snapshots):
        moments = [Image.open(Path(paths[i])).convert("RGB") for paths in climb.paths]
        files[i] = {**files[i], "GIF": file_url(bytes_file(animation(moments), f"{_name(snapshot)}.gif"))}
        yield shown(), gr.skip()


@for_people
def _repeat(file: str | None) -> tuple[Any, ...]:
    """The choice and the controls as the experiment in a saved picture has them."""
    made = read_experiment(file or "", pick_device())
    if not isinstance(made.channel, int):
        raise PhotoError("the picture is of a weighted mixture of channels: only `maximize --like` can repeat it.")
    told = {"recipe": made.settings.recipe, **{name: getattr(made.settings, name) for name in SETTINGS}}
    settled = settle(layer=find_layer(made.layer), device=pick_device(), settings=told["recipe"],
                     **{name: told[name] for name in SETTINGS})  # fmt: skip
    words = f"This is {made.layer} channel {made.channel}, recipe {told['recipe']}, seed {told['seed']}. Press Start."
    if odd := [name for name in vars(settled) if getattr(settled, name) != getattr(made.settings, name)]:
        words += f" The page has no control for its {', '.join(odd)}: `maximize --like` repeats these too."
    if made.start_sha256:
        words += " It grew out of a photo, which it does not carry: choose it in the tab Feature maps."
    if made.layer == CLASS.name:
        return gr.skip(), *told.values(), "", str(made.channel), words
    return Choice(made.layer, made.channel).value(), *told.values(), "", "", words


@for_people
@on_gpu
def _climb_ladder(bar: Any, seed: float | None) -> Iterator[list[tuple[str, str]]]:
    shown: list[tuple[str, str]] = []
    choice = Choice.read(bar)
    for rung in ladder(load_vgg16(), choice.layer, choice.channel, seed=seed or 0):
        reached = rung.score
        caption = f"{rung.name}: activation {reached.saved_activation:.1f}, robust {reached.robust:.1f}"
        name = f"{rung.snapshot.layer}-{rung.snapshot.channel}-rung{len(shown) + 1}"
        shown = [*shown, (picture_file(rung.picture, name), caption)]
        yield shown
