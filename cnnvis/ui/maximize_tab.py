"""The Activation maximization tab: a picture that grows out of noise, its score, its file."""

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from cnnvis.ascent import Snapshot, maximize
from cnnvis.ladder import ladder
from cnnvis.recipes import CHOICES, RECIPES, Ascent, limits
from cnnvis.score import scored_record
from cnnvis.ui.choice import Choice, ChoiceBar
from cnnvis.ui.handlers import HEAVY, PAGE, QUICK, for_people, picture_file
from cnnvis.ui.texts import ABOUT_LADDER, ABOUT_MAXIMIZE, CAVEAT
from cnnvis.weights import load_vgg16, pick_device

RECIPE_NAMES = {
    "fourier": "fourier: clear and quick",
    "maco": "maco: calmer, nearer to a photo",
    "deepdream": "deepdream: grows into the photo of the tab before",
    "erhan": "erhan: the original notebook's",
}
OBJECTIVE_NAMES = {"channel": "The whole map", "centre": "Its centre alone", "negative": "The opposite: least answer"}


def maximize_tab(bar: ChoiceBar, photo: gr.Image) -> None:
    """Lay out the tab; the ascent climbs for the chosen layer and channel."""
    gr.Markdown(ABOUT_MAXIMIZE, elem_classes="quiet")
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            target = gr.Markdown(_target(bar.state.value), elem_id="target")
            recipe = gr.Radio(
                [(RECIPE_NAMES[name], name) for name in RECIPES], value="fourier", label="Recipe", elem_id="recipe"
            )
            with gr.Row():
                start = gr.Button("Start", variant="primary", elem_id="start")
                stop = gr.Button("Stop", elem_id="stop", interactive=False)
            with gr.Accordion("Advanced", open=False, elem_id="advanced"):
                settings = _advanced()
        with gr.Column(scale=3, min_width=300):
            picture = gr.Image(
                label="The picture as it grows",
                show_label=False,
                type="filepath",
                interactive=False,
                buttons=["fullscreen"],
                elem_id="growing",
                elem_classes="picture",
                height=460,
                placeholder="Press Start: a picture grows out of noise within seconds.",
            )
            status = gr.Markdown("Nothing has been grown yet.", elem_id="ascent-status", elem_classes="status")
            card = gr.HTML(elem_id="score-card")
            download = gr.DownloadButton("Download the picture (PNG)", interactive=False, elem_id="picture-download")

    with gr.Accordion("The ladder: the same channel with more and more care", open=False, elem_id="ladder-box"):
        gr.Markdown(ABOUT_LADDER, elem_classes="quiet")
        with gr.Row():
            up = gr.Button("Climb it", size="sm", elem_id="climb")
            down = gr.Button("Stop", size="sm", elem_id="climb-stop")
        rungs = gr.Gallery(columns=5, height="auto", object_fit="contain", elem_id="ladder", label="The ladder")

    grown = gr.State(None)  # the last snapshot sent, until it has been scored
    bar.state.change(_target, bar.state, target, **PAGE, **QUICK)
    ready = start.click(_make_ready, None, [start, stop, download, card], **PAGE, **QUICK)
    run = ready.then(_grow, [bar.state, photo, recipe, *settings], [picture, status, grown], **PAGE, **HEAVY)
    run.then(_finish, [grown, status], [picture, status, card, download, grown, start, stop], **PAGE, **HEAVY)
    stop.click(None, None, None, cancels=[run], **PAGE)
    climb = up.click(_climb_ladder, [bar.state, settings[0]], rungs, **PAGE, **HEAVY)
    down.click(None, None, None, cancels=[climb], **PAGE)


def _advanced() -> list[Any]:
    """Controls for the settings worth turning; what they allow stands in the settings themselves."""
    bounds, default = limits(pick_device()), Ascent()
    seed = gr.Number(default.seed, label="Seed: same seed, same picture", precision=0, elem_id="seed")
    own = "Steps (0: the recipe's own number)"
    steps = gr.Slider(*bounds["steps"], default.steps, step=1, label=own, elem_id="steps")
    size = gr.Slider(*bounds["size"], default.size, step=16, label="Size in px", elem_id="size")
    seconds = gr.Slider(0, 60, default.seconds, step=1, label="Stop after seconds (0: never)", elem_id="seconds")
    names = [(OBJECTIVE_NAMES[name], name) for name in CHOICES["objective"]]
    objective = gr.Radio(names, value=default.objective, label="What of the channel", elem_id="objective")
    from_photo = gr.Checkbox(False, label="Start from the photo instead of noise", elem_id="from-photo")
    return [seed, steps, size, seconds, objective, from_photo]


def _make_ready() -> tuple[Any, ...]:
    return gr.Button(interactive=False), gr.Button(interactive=True), gr.DownloadButton(interactive=False), ""


def _target(choice: Choice) -> str:
    return f"### {choice[0]} · channel {choice[1]}"


@for_people
def _grow(
    choice: Choice,
    photo: str | None,
    recipe: str,
    seed: float | None,
    steps: float,
    size: float,
    seconds: float,
    objective: str,
    from_photo: bool,
) -> Iterator[tuple[Any, str, Snapshot]]:
    overrides: dict[str, Any] = {
        "steps": steps,
        "size": size,
        "seed": seed or 0,
        "seconds": seconds,
        "objective": objective,
    }
    start = photo if from_photo or recipe == "deepdream" else None
    for snapshot in maximize(load_vgg16(), *choice, recipe, start=start, **overrides):
        name = f"{snapshot.layer}-{snapshot.channel}-{snapshot.step}"
        shown = gr.Image(picture_file(snapshot.picture, name, "jpeg"), alt_text=_words(snapshot))
        yield shown, _words(snapshot), snapshot


@for_people
def _climb_ladder(choice: Choice, seed: float | None) -> Iterator[list[tuple[str, str]]]:
    shown: list[tuple[str, str]] = []
    for rung in ladder(load_vgg16(), *choice, seed=seed or 0):
        reached = rung.score
        caption = f"{rung.name}: activation {reached.saved_activation:.1f}, robust {reached.robust:.1f}"
        name = f"{rung.snapshot.layer}-{rung.snapshot.channel}-rung{len(shown) + 1}"
        shown = [*shown, (picture_file(rung.picture, name), caption)]
        yield shown


def _words(snapshot: Snapshot) -> str:
    text = f"{snapshot.layer} channel {snapshot.channel}, step {snapshot.step} of {snapshot.steps}"
    if snapshot.activation is None:
        return f"{text}: the start"
    return f"{text}, activation {snapshot.activation:.1f}, {snapshot.seconds:.1f} s"


@for_people
def _finish(snapshot: Snapshot | None, status: str) -> tuple[Any, ...]:
    """Score the last picture, whether the ascent ended or was stopped, and offer it with its settings inside."""
    idle = gr.Button(interactive=True), gr.Button(interactive=False)
    if snapshot is None:  # the ascent was refused; its message is already on the page
        return gr.skip(), gr.skip(), "", gr.DownloadButton(interactive=False), None, *idle
    record = scored_record(load_vgg16(), snapshot)
    settings = snapshot.settings
    name = f"{snapshot.layer}-{snapshot.channel}-{settings.recipe}-seed{settings.seed}"
    path = picture_file(snapshot.picture, name, text={"cnnvis": json.dumps(record)})
    words = status if snapshot.last else f"{status}; stopped"
    shown = gr.Image(path, alt_text=words)
    return shown, words, _card(record), gr.DownloadButton(value=path, interactive=True), None, *idle


def _card(record: dict[str, Any]) -> str:
    """The score in words for somebody who has never seen one."""
    saved, robust, chosen = record["saved_activation"], record["robust"], record["selectivity"]
    never = "<p><strong>This channel never fires on this picture:</strong> its whole map is zero behind the ReLU.</p>"
    kept = f" ({min(100.0, 100 * robust / saved):.0f} % of it)" if saved > 0 else ""
    rows = [
        ("Activation of the saved picture", f"{saved:.1f}"),
        ("What is left when it is compressed, turned, scaled and cropped", f"{robust:.1f}{kept}"),
    ]
    if chosen:
        place = "no other channel" if chosen["rank"] == 1 else f"{chosen['rank'] - 1} other channels"
        lift = f"{chosen['deviations']:.1f} deviations above ordinary photos; {place} of {chosen['of'] - 1} further"
        rows.append(("How far it lifts the channel", lift))
    if record["naturalness"] is not None:
        steepness = f"{record['naturalness']:.1f} (photographs: about -2 to -3; noise: 0)"
        rows.append(("How fast fine detail fades", steepness))
    rows.append(("Colours at the end of their range", f"{100 * record['saturation']:.1f} %"))
    table = "".join(f'<tr><th scope="row">{name}</th><td>{value}</td></tr>' for name, value in rows)
    return f"""<div class="facts">{"" if record["fires"] else never}<table>{table}</table>{CAVEAT}</div>"""
