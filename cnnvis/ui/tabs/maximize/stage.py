"""The stage: where a visitor watches an ascent, rewinds it, and downloads it."""

import json
from typing import Any

import gradio as gr

from cnnvis.maximization.ascent import Snapshot
from cnnvis.ui.parts.base import scripted

_TEMPLATE = """
<div class="stage">
  <p class="stage-empty">Press Grow: a picture grows from noise within seconds.</p>
  <div class="stage-pictures"></div>
  <p class="stage-status"></p>
  <p class="stage-said visually-hidden" role="status" aria-live="polite"></p>
  <div class="stage-controls" hidden>
    <input class="stage-slider" type="range" min="0" max="0" value="0" aria-label="Wind back through the ascent">
    <div class="stage-plot">
      <svg class="stage-curve" viewBox="0 -4 400 108" preserveAspectRatio="none" role="img"></svg>
      <span class="stage-high"></span><span class="stage-low"></span><span class="stage-steps"></span>
    </div>
  </div>
</div>
"""


def stage(elem_id: str) -> gr.HTML:
    """An empty stage; `stage_value` makes its value."""
    return scripted(__file__, elem_id, value=None, html_template=_TEMPLATE, padding=False)


def moment_value(snapshots: list[Snapshot], urls: list[str]) -> dict[str, Any]:
    """One moment of an ascent of one or several channels; `urls` are the pictures', relative to the page."""
    activations = [snapshot.activation for snapshot in snapshots]
    return {"step": snapshots[0].step, "activations": activations, "urls": urls}


def stage_value(
    ascent: str,
    snapshots: list[Snapshot],
    moment: dict[str, Any],
    moments: list[dict[str, Any]] | None = None,
    files: list[dict[str, str]] | None = None,
    note: str = "",
) -> str:
    """The stage's value for one `ascent`, named by its id: the newest moment, and at the end all `moments` and files.

    `files` has, for each channel, the downloads by name with their addresses. All of it is JSON, because Gradio would
    copy and compare a value of many parts many times per event.
    """
    names = [str(snapshot.target) for snapshot in snapshots]
    about = {"ascent": ascent, "names": names, "steps": snapshots[0].steps, "note": note}
    about["photo"] = snapshots[0].build.get("start_sha256") is not None  # whether it began from one
    curves = [snapshot.curve for snapshot in snapshots]
    return json.dumps({**about, "curves": curves, "frame": moment, "frames": moments, "files": files})
