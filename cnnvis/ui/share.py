"""What a visitor can take along: the address of the view, an iframe onto it, and a file that needs no server."""

import html
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr

from cnnvis.ui.card import card_link
from cnnvis.ui.links import PARAMETERS, address_of, read_query
from cnnvis.ui.parts.choice import SAVED, Choice
from cnnvis.ui.parts.follow import Follower, Restorer, Shared
from cnnvis.ui.serving.handlers import LIGHT, PAGE
from cnnvis.ui.serving.photos import photo_name
from cnnvis.ui.texts import ABOUT_SHARE, AGREE, OWN_PHOTO

EMBED_HEIGHT = 760  # px of an embedded view


def share(page: gr.Blocks, shared: Shared, controls: Mapping[str, Any]) -> Follower:
    """Lay out the link and its buttons, and the card; return what keeps them up to date.

    `controls` are the components whose values belong in an address, by the names in `links.PARAMETERS`.
    """
    with gr.Column(elem_id="share"):
        link = gr.Textbox(label="Link to this view", interactive=False, elem_id="link")
        own = gr.HTML(OWN_PHOTO, visible=False, elem_id="link-photo", elem_classes="quiet", padding=False)
        with gr.Row():
            copy = gr.Button("Copy link", elem_id="copy-link", min_width=120)
            embed = gr.Button("Copy embed code", elem_id="copy-embed", min_width=150)
        agreed = gr.Checkbox(label=AGREE, elem_id="card-photo")
        with gr.Row():
            file = gr.Button("A file for your blog", elem_id="copy-file", min_width=150)
            saved = gr.HTML(elem_id="card-link", elem_classes="quiet", padding=False)
        gr.HTML(ABOUT_SHARE, elem_classes="quiet", padding=False)
    gr.HTML('<a target="_blank" rel="noopener">Open the whole page</a>', elem_id="whole-page")
    query = gr.Textbox(visible="hidden", elem_id="query")  # in the DOM, because otherwise it would send no `change`

    names = list(controls)

    def address(choice: Choice, *values: Any) -> tuple[str, gr.HTML]:
        named = dict(zip(names, values, strict=True))
        is_own = bool(named["photo"]) and not photo_name(named["photo"])
        kept = choice.concept is not None or (choice.tab == "maximize" and choice.of != SAVED)
        named["of"] = choice.of if kept else ""
        return address_of(choice.tab, choice.target, named).query(), gr.HTML(visible=is_own)

    query.change(None, query, link, js="cnnvis.showAddress")
    copy.click(None, link, copy, js="cnnvis.copyLink")
    embed.click(None, link, embed, js="cnnvis.copyEmbed")
    asked = [shared.layer_picker, shared.photo, shared.row, shared.column, agreed, link]
    made = file.click(card_link, asked, saved, js="cnnvis.ofTab", **PAGE, **LIGHT)
    made.success(None, None, None, js="cnnvis.saveCard", **PAGE)
    page.load(None, query, link, js="cnnvis.linkOf")  # the default view's address is "", which is no change
    triggers = [control.input for control in controls.values()]
    return Follower(address, list(controls.values()), [query, own], triggers)


def restorer(shared: Shared, controls: Mapping[str, Any], note: gr.HTML) -> Restorer:
    """Restore the view in the visitor's address, and say in `note` which parts of it were invalid."""
    # Not the photo: the example at first, it may later be a visitor's own, which no address can name.
    defaults = {parameter.name: parameter.default for parameter in PARAMETERS if parameter.name != "photo"}

    def read(link: str) -> tuple[Choice, dict[Any, Any], list[Any]]:
        address, wrong = read_query(dict(parse_qsl(link.removeprefix("?"), keep_blank_values=True)))
        choice = Choice(address.target, of=address.values.get("of", ""))
        given = [parameter for parameter in PARAMETERS if parameter.name in address.values]
        restored = defaults | {parameter.name: parameter.decode(address.values[parameter.name]) for parameter in given}
        shown = [
            {**choice.value(), "restored": True},  # so that choice.js can tell it from other answers
            gr.HTML(html.escape("Parts of this link were ignored: " + " ".join(wrong)), visible=bool(wrong)),
            *(restored.get(name, gr.skip()) for name in controls),
        ]
        return choice, {controls[name]: restored[name] for name in controls if name in restored}, shown

    return Restorer(read, [shared.layer_picker, note, *controls.values()])
