"""The address of what is shown: in the address bar, to copy, and as an iframe for somebody's own page."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from cnnvis.ui.choice import ChoiceBar
from cnnvis.ui.follow import Choice, Follower
from cnnvis.ui.handlers import PAGE
from cnnvis.ui.links import View, read_query
from cnnvis.ui.photos import PHOTOS, example_name

FRAME_HEIGHT = 760  # px of an embedded view

# Keeps what is not ours to drop (Gradio's theme, our own embed), and never reloads the page.
_ADDRESS = """(query) => {
  const now = new URLSearchParams(query);
  const before = new URLSearchParams(location.search);
  for (const name of ['__theme', 'embed']) if (before.has(name)) now.set(name, before.get(name));
  history.replaceState(history.state, '', location.pathname + (now.size ? '?' + now : ''));
  const link = location.origin + location.pathname + (query ? '?' + query : '');
  const whole = document.querySelector('#whole-page a');
  if (whole) whole.href = link;
  return link;
}"""
_COPY = """async (link) => {
  const text = %s;
  try { await navigator.clipboard.writeText(text); return '%s copied'; }
  catch { prompt('Copy this:', text); return '%s'; }
}"""
_FRAME = """`<iframe src="${link}${link.includes('?') ? '&amp;' : '?'}embed=1" title="Inside VGG16" width="100%%"`
  + ` height="%d" style="border:0" loading="lazy"></iframe>`"""
# Whether the page is a frame of another one, before anything is drawn that it should not show.
EMBEDDED = """() => { const embed = new URLSearchParams(location.search).get('embed') === '1';
  document.documentElement.classList.toggle('embedded', embed); }"""


def share(
    page: gr.Blocks, tabs: gr.Tabs, opened: gr.State, bar: ChoiceBar, controls: Mapping[str, Any], note: gr.Markdown
) -> Follower:
    """Lay out the box, and at the start show what the visitor's own address asks for; returns what keeps it true.

    `controls` are the components whose values belong into an address, by their names in `View`.
    """
    with gr.Row(elem_classes="share"):
        link = gr.Textbox(label="Link to this view", interactive=False, elem_id="link", scale=4, min_width=240)
        copy = gr.Button("Copy link", elem_id="copy-link", scale=1, min_width=120)
        frame = gr.Button("Copy embed code", elem_id="copy-embed", scale=1, min_width=150)
    gr.HTML('<a target="_blank" rel="noopener">Open the whole page</a>', elem_id="whole-page")
    query = gr.Textbox(visible="hidden", elem_id="query")  # there, or it would not say that it has changed

    names = list(controls)

    def address(choice: Choice, tab: str, *values: Any) -> tuple[str]:
        told = dict(zip(names, values, strict=True))
        told["photo"] = example_name(told["photo"]) or View.photo
        known = {name: getattr(View, name) if value is None else value for name, value in told.items()}
        numbers = {name: int(known[name]) for name in ("steps", "size", "seed")}
        return (View(tab or View.tab, *choice, **{**known, **numbers}).query(),)

    def restore(request: gr.Request) -> tuple[Any, ...]:
        view, wrong = read_query(dict(request.query_params))
        said = "This link could not be followed in everything: " + " ".join(wrong)
        values = [_update(name, getattr(view, name)) for name in names]
        return gr.Tabs(selected=view.tab), (view.layer, view.channel), *values, gr.Markdown(said, visible=bool(wrong))

    kept = Follower(None, address, [opened, *controls.values()], [query])
    kept.redraw_on(bar.state, *(control.change for control in controls.values()))
    query.change(None, query, link, js=_ADDRESS)
    copy.click(None, link, copy, js=_COPY % ("link", "Link", "Copy link"))
    frame.click(None, link, frame, js=_COPY % (_FRAME % FRAME_HEIGHT, "Embed code", "Copy embed code"))
    page.load(None, None, None, js=EMBEDDED)
    page.load(None, query, link, js=_ADDRESS)  # the address of the default view is no change
    page.load(restore, None, [tabs, bar.state, *controls.values(), note], **PAGE)
    return kept


def _update(name: str, value: Any) -> Any:
    """What a control becomes; the defaults are there already."""
    if value == getattr(View, name):
        return gr.skip()
    return str(PHOTOS[value]) if name == "photo" else value
