"""An ascent on the page, from the button that starts it to its files: in its own tab, and small beside a photo."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import gradio as gr

from cnnvis.analysis.interventions import colour_sensitivity
from cnnvis.errors import AtlasError
from cnnvis.maximization.score import as_measured, scored_record
from cnnvis.network.architecture import Target, convolution
from cnnvis.network.precision import fast_dtype
from cnnvis.network.weights import load_for
from cnnvis.ui.serving import cache
from cnnvis.ui.serving.gpu import SHEET_DEVICE, grow, missing_gpu
from cnnvis.ui.serving.handlers import ENCODING, LIGHT, PAGE, readable_errors
from cnnvis.ui.serving.queues import make_way
from cnnvis.ui.tabs.maximize.line import join, line
from cnnvis.ui.tabs.maximize.score_card import score_card
from cnnvis.ui.tabs.maximize.stage import stage, stage_value
from cnnvis.ui.tabs.maximize.visitor import VisitorAscent, hold
from cnnvis.views.known import stronger_photos


@dataclass(frozen=True)
class Growing:
    """Its components; their ids are those of the tab, or begin with `place-`."""

    start: gr.Button
    stop: gr.Button
    slot: gr.HTML  # where a visitor in line reads their place
    shown: gr.HTML  # the stage
    card: gr.HTML  # what the scores say

    @classmethod
    def laid_out(cls, prefix: str, start: str) -> "Growing":
        """Lay out a small one."""
        with gr.Row(elem_id=f"{prefix}growing", elem_classes="growing"):
            begin = gr.Button(start, variant="primary", size="sm", elem_id=f"{prefix}start")
            stop = gr.Button("Stop", size="sm", elem_id=f"{prefix}stop", interactive=False, min_width=70)
        slot = line(f"{prefix}waiting")
        return cls(begin, stop, slot, stage(f"{prefix}stage"), gr.HTML(elem_id=f"{prefix}score-card"))

    def connect(self, handler: Callable[..., Any], inputs: Sequence[Any], js: str | None = None) -> None:
        """Let `handler`, a generator, yield the stage's value and the VisitorAscent; `js` changes its inputs."""
        start, stop, card = self.start, self.stop, self.card
        ids = f"'#{start.elem_id}', '#{stop.elem_id}', '#{self.shown.elem_id}'"
        run = gr.State(None)  # the VisitorAscent, until it has been animated
        # At once, without waiting for the server.
        start.click(None, None, [start, stop, card], js=f"() => cnnvis.ascentStarted({ids})")
        entered, growing = join(start, self.slot, handler, inputs, [self.shown, run], js)
        scored = growing.then(_score, run, [self.shown, card, run], **PAGE, **LIGHT)  # after its end, and after Stop
        animated = scored.then(_animate, run, [self.shown, run], **PAGE, **ENCODING)
        # `then` does not follow a failure, which must free Start as well.
        for end in (entered.failure, scored.failure, animated.then, animated.failure):
            end(None, None, [start, stop], js="cnnvis.ascentEnded")
        growing.failure(None, None, [start, stop], js=f"() => cnnvis.ascentFailed({ids})")
        stop.click(None, None, stop, js="cnnvis.ascentStopping", cancels=[growing], **PAGE)


def grow_targets(
    request: gr.Request | None, targets: Sequence[Target], recipe: str, start: Any, settings: dict[str, Any]
) -> Iterator[tuple[str, VisitorAscent]]:
    """Grow targets already checked, for the stage. Raises SettingError, PhotoError, WeightsError, LayerError."""
    snapshots = grow(targets, recipe, start, settings)
    ascent = hold(request)  # before the first step, during which the tab may be closed
    for batch in make_way(snapshots):
        if batch[0].step == 0 and ascent.snapshots:
            ascent = hold(request)  # it begins again on the CPU
        yield stage_value(ascent.id, batch, ascent.add(batch), note=missing_gpu(batch[0])), ascent


@readable_errors
def _score(held: VisitorAscent | None) -> Iterator[tuple[Any, Any, VisitorAscent | None]]:
    """Score the last pictures, after the end or after Stop, and offer them for download with their settings inside."""
    # A copy, as the tab may be closed meanwhile; without snapshots it was stopped before anything had grown.
    if not held or not (ascent := copy(held)).snapshots:
        yield gr.skip(), gr.skip(), None
        return
    held.note = ascent.note = _end(ascent)
    yield ascent.shown(f"{ascent.note}; scoring"), gr.skip(), held
    records: list[dict[str, Any]] = []
    for position, snapshot in enumerate(ascent.snapshots):
        net = load_for(snapshot.target.layer, SHEET_DEVICE)
        record = scored_record(net, snapshot)
        hues = colour_sensitivity(net, as_measured(snapshot.picture), snapshot.target, "mean", fast_dtype(net.device))
        records.append(
            {**record, "name": str(snapshot.target), "hues": hues, **_beside(snapshot.target, record["strongest"])}
        )
        ascent.offer_png(position, record)
        yield ascent.shown(ascent.note), score_card(records), held


def _beside(target: Target, strongest: float) -> dict[str, Any]:
    """What a picture is compared with, as far as it is known; a class or a direction has neither photos nor atlas."""
    if target.layer.kind == "class" or isinstance(target.channel, Mapping):
        return {"photos": None, "atlas": None}
    try:
        usual = cache.atlas_sheet(target.layer).tiles[target.number].robust
    except AtlasError:
        usual = None
    return {"photos": stronger_photos(convolution(target), strongest), "atlas": usual}


@readable_errors
def _animate(held: VisitorAscent | None) -> Iterator[tuple[Any, None]]:
    """Offer the animations too; they take a while to encode, in a queue of their own."""
    if held:
        ascent = copy(held)
        for position in range(len(ascent.snapshots)):
            ascent.offer_gif(position)
            yield ascent.shown(ascent.note), None
    yield gr.skip(), None


def _end(ascent: VisitorAscent) -> str:
    last = ascent.snapshots[0]
    words = f"finished in {last.seconds:.1f} s" if last.last else f"stopped after {last.seconds:.1f} s"
    return ", ".join(filter(None, [words, missing_gpu(last)]))
