"""A contact sheet as a chooser: one picture, and over it a real button for every channel.

One sprite instead of 512 pictures; each button shows its own piece of it, so the grid reflows to any width. Tab goes to
the chosen cell, the arrow keys move, Enter or Space chooses.
"""

from typing import Any

import gradio as gr

from cnnvis.features import MapSheet
from cnnvis.filters import FilterSheet

_TEMPLATE = """${!value ? '' :
'<div class="sheet" role="group" aria-label="' + value.label + '" style="--sprite:url(' + value.src + ');--wide:'
+ value.wide + '%;--high:' + value.high + '%">' +
value.order.map((channel, i) => '<button type="button" data-channel="' + channel + '" title="channel ' + channel +
'" aria-label="channel ' + channel + '" aria-pressed="' + (channel === chosen) + '" tabindex="' +
(channel === chosen || (i === 0 && !value.order.includes(chosen)) ? 0 : -1) + '" style="background-position:' +
(i % value.columns) * value.right + '% ' + Math.floor(i / value.columns) * value.down + '%"></button>').join('') +
'</div>'}"""

_STYLE = """
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(var(--cell-width, 44px), 1fr)); gap: 4px; }
.sheet button { aspect-ratio: 1; padding: 0; border: 0; border-radius: 2px; cursor: pointer;
  background-image: var(--sprite); background-size: var(--wide) var(--high);
  background-color: #16181d; image-rendering: var(--rendering, auto); }
.sheet button:hover { outline: 2px solid var(--body-text-color-subdued); outline-offset: -1px; }
.sheet button[aria-pressed="true"] { outline: 3px solid var(--color-accent); outline-offset: -1px; z-index: 1;
  position: relative; box-shadow: 0 0 0 5px var(--background-fill-primary); }
.sheet button:focus-visible { outline: 3px solid var(--color-accent); outline-offset: 2px; z-index: 2;
  position: relative; }
"""

# Runs once, so everything is delegated. After a redraw the focus goes back to the chosen cell if it was on the sheet.
_SCRIPT = """
const cells = () => Array.from(element.querySelectorAll('button[data-channel]'));
let focused = false;
element.addEventListener('focusin', () => { focused = true; });
element.addEventListener('focusout', (event) => { if (event.relatedTarget) focused = false; });
element.addEventListener('click', (event) => {
  const cell = event.target.closest('button[data-channel]');
  if (cell) trigger('select', {index: +cell.dataset.channel, value: null});
});
element.addEventListener('keydown', (event) => {
  const all = cells();
  const at = all.indexOf(event.target);
  const perRow = all.filter((cell) => cell.offsetTop === (all[0] || {}).offsetTop).length;
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -perRow, ArrowDown: perRow}[event.key];
  if (at < 0 || !step) return;
  event.preventDefault();
  const next = all[at + step];
  if (next) next.focus();
});
watch(['value', 'chosen'], () => {
  const cell = element.querySelector('button[aria-pressed="true"]');
  if (focused && cell && document.activeElement !== cell) cell.focus({preventScroll: true});
});
"""


def sheet(elem_id: str, sharp: bool = False) -> gr.HTML:
    """An empty chooser; its `select` event has the channel as `index`. `sharp` keeps enlarged cells unblurred."""
    return gr.HTML(
        value=None,
        chosen=-1,
        html_template=_TEMPLATE,
        css_template=_STYLE + (".sheet { --rendering: pixelated; }" if sharp else ""),
        js_on_load=_SCRIPT,
        elem_id=elem_id,
        apply_default_css=False,
    )


def sheet_value(src: str, label: str, drawn: FilterSheet | MapSheet) -> dict[str, Any]:
    """What a chooser shows: the sprite at `src`, and how a button finds its tile in it without the gap around.

    CSS counts a background's position in percent of what the background is larger than the button.
    """
    order = getattr(drawn, "order", None) or list(range(drawn.channels))
    width, height = drawn.picture.size
    tile = drawn.cell - drawn.gap
    return {
        "src": src,
        "label": label,
        "columns": drawn.columns,
        "order": order,
        "wide": 100 * width / tile,
        "high": 100 * height / tile,
        "right": 100 * drawn.cell / max(1, width - tile),
        "down": 100 * drawn.cell / max(1, height - tile),
    }
