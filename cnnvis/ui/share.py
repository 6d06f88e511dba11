"""The address of what is shown: in the address bar, to copy, and as an iframe for somebody's own page."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr

from cnnvis.ui.choice import Choice
from cnnvis.ui.follow import Follower, Restorer
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


def share(page: gr.Blocks, controls: Mapping[str, Any]) -> Follower:
    """Lay out the box; returns what keeps it true.

    `controls` are the components whose values belong into an address, by their names in `View`.
    """
    with gr.Row(elem_classes="share"):
        link = gr.Textbox(label="Link to this view", interactive=False, elem_id="link", scale=4, min_width=240)
        copy = gr.Button("Copy link", elem_id="copy-link", scale=1, min_width=120)
        frame = gr.Button("Copy embed code", elem_id="copy-embed", scale=1, min_width=150)
    gr.HTML('<a target="_blank" rel="noopener">Open the whole page</a>', elem_id="whole-page")
    query = gr.Textbox(visible="hidden", elem_id="query")  # there, or it would not say that it has changed

    names = list(controls)

    def address(choice: Choice, *values: Any) -> tuple[str]:
        told = dict(zip(names, values, strict=True))
        told["photo"] = example_name(told["photo"]) or View.photo
        known = {name: getattr(View, name) if value is None else value for name, value in told.items()}
        numbers = {name: int(known[name]) for name in ("steps", "size", "seed")}
        return (View(choice.tab, choice.layer, choice.channel, **{**known, **numbers}).query(),)

    query.change(None, query, link, js=_ADDRESS)
    copy.click(None, link, copy, js=_COPY % ("link", "Link", "Copy link"))
    frame.click(None, link, frame, js=_COPY % (_FRAME % FRAME_HEIGHT, "Embed code", "Copy embed code"))
    page.load(None, None, None, js=EMBEDDED)
    page.load(None, query, link, js=_ADDRESS)  # the address of the default view is no change
    return Follower(None, address, list(controls.values()), [query], [control.input for control in controls.values()])


def restorer(tabs: gr.Tabs, bar: gr.HTML, controls: Mapping[str, Any], note: gr.Markdown) -> Restorer:
    """What shows the view that the visitor's own address asks for, and says in `note` what of it could not be used."""

    def read(link: str) -> tuple[Choice, dict[Any, Any], list[Any]]:
        view, wrong = read_query(dict(parse_qsl(link.removeprefix("?"), keep_blank_values=True)))
        choice = Choice(view.layer, view.channel, view.tab)
        values = {name: getattr(view, name) for name in controls if getattr(view, name) != getattr(View, name)}
        if "photo" in values:
            values["photo"] = str(PHOTOS[view.photo])
        said = "This link could not be followed in everything: " + " ".join(wrong)
        shown = [
            gr.Tabs(selected=view.tab),
            choice.value(),
            gr.Markdown(said, visible=bool(wrong)),
            *(values.get(name, gr.skip()) for name in controls),  # the defaults are there already
        ]
        return choice, {controls[name]: value for name, value in values.items()}, shown

    return Restorer(read, [tabs, bar, note, *controls.values()])
