"""Watch an ascent in a notebook: the picture grows in the cell beside its curve, and ends with its score."""

import base64
from collections.abc import Sequence
from typing import Any

from cnnvis.errors import SettingError
from cnnvis.maximization.ascent import Snapshot, maximize
from cnnvis.maximization.recipes import Settings
from cnnvis.maximization.score import Finished, Score, score_target
from cnnvis.network.architecture import Direction
from cnnvis.network.vgg import VGG16
from cnnvis.pictures.images import encode
from cnnvis.pictures.photo import Photo

CURVE_PX = 220, 120  # width and height


class Watched(Finished):
    """The result of an ascent that was watched."""

    def _repr_png_(self) -> None:  # type: ignore[override]
        """Nothing: the cell shows the picture already."""

    def __repr__(self) -> str:
        return f"<{_words(self.snapshot)}, {_score_words(self.score)}>"


def watch(
    net: VGG16,
    layer: str,
    channel: int | Direction | None = None,
    settings: Settings | str = "fourier",
    *,
    start: Photo | None = None,
    **overrides: Any,
) -> Watched:
    """Grow a picture in a notebook's cell, beside the curve of its activation; takes the arguments of `maximize`.

    Interrupting the cell ends the ascent and keeps the picture. The finished picture is shown with its score.
    Raises what `maximize` raises, and SettingError without IPython.
    """
    ascent = maximize(net, layer, channel, settings, start=start, **overrides)
    try:
        from IPython.display import DisplayHandle  # every notebook has it; nothing else needs it
    except ImportError as error:
        raise SettingError("watch needs a notebook with IPython: outside of one, loop over maximize.") from error
    cell: Any = DisplayHandle()  # type: ignore[no-untyped-call]
    cell.display({"text/plain": "…"}, raw=True)
    snapshot = None
    try:
        for snapshot in ascent:
            cell.update(_shown(snapshot, "jpeg", _words(snapshot)), raw=True)
    except KeyboardInterrupt:
        if snapshot is None:
            raise
    assert snapshot is not None  # the start picture is always sent
    grown = Watched(snapshot, score_target(net, snapshot.picture, snapshot.target))
    cell.update(_shown(snapshot, "png", f"{_words(snapshot)}: {_score_words(grown.score)}"), raw=True)
    return grown


def _words(snapshot: Snapshot) -> str:
    return f"{snapshot.target}, {snapshot.settings.recipe}, step {snapshot.step} of {snapshot.steps}"


def _score_words(score: Score) -> str:
    words = f"saved activation {score.saved_activation:.4g}, robust {score.robust:.4g}"
    return words if score.fires else f"{words}, never fires"


def _shown(snapshot: Snapshot, kind: str, words: str) -> dict[str, str]:
    """A cell's output: the picture, the curve of the activation, and a line of words."""
    picture = base64.b64encode(encode(snapshot.picture, kind)).decode()
    image = f'<img src="data:image/{kind};base64,{picture}" alt="{snapshot.target}" style="max-width: 60%">'
    html = f'<div style="display: flex; gap: 1em; align-items: end">{image}{_curve(snapshot.curve)}</div><p>{words}</p>'
    return {"text/html": html, "text/plain": words}


def _curve(activations: Sequence[float]) -> str:
    """The activation of every step as an SVG line, with its last value."""
    if len(activations) < 2:
        return ""
    width, height = CURVE_PX
    low, span, last = min(activations), max(activations) - min(activations) or 1.0, len(activations) - 1
    spots = [(width * i / last, height * (1 - (value - low) / span)) for i, value in enumerate(activations)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    label = f"activation by step, from {activations[0]:.4g} to {activations[-1]:.4g}"
    line = f'<polyline points="{points}" fill="none" stroke="#d9541e" stroke-width="2"/>'
    svg = f'<svg width="{width}" height="{height}" role="img" aria-label="{label}">{line}</svg>'
    return f"<div>{svg}<br>activation {activations[-1]:.4g}</div>"
