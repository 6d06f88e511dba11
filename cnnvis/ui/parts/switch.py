"""One choice of a few, as a row of buttons or as the browser's own menu; each change sends one `input` event.

Not gr.Radio and gr.Dropdown: a radio cannot follow the tab until the visitor sets a value, and a dropdown sends `input`
twice for a click.
"""

from collections.abc import Mapping

import gradio as gr

from cnnvis.ui.parts.base import scripted


def segments(elem_id: str, label: str, choices: Mapping[str, str], of_tab: Mapping[str, str]) -> gr.HTML:
    """Buttons, labels by value. The value is "" until the visitor sets one: then the open tab's is shown as chosen."""
    buttons = "".join(f'<button type="button" value="{value}">{name}</button>' for value, name in choices.items())
    template = f'<div class="segments" role="group" aria-label="{label}">{buttons}</div>'
    return scripted(__file__, elem_id, value="", of_tab=dict(of_tab), html_template=template, padding=False)


def menu(elem_id: str, label: str, choices: Mapping[str, str], value: str) -> gr.HTML:
    """A menu, labels by value."""
    options = "".join(f'<option value="{value}">{name}</option>' for value, name in choices.items())
    template = f'<select aria-label="{label}" title="{label}">{options}</select>'
    return scripted(__file__, elem_id, value=value, of_tab={}, html_template=template, padding=False)
