"""What makes an endpoint of a function: hidden inputs, one for each of its parameters."""

import inspect
from collections.abc import Callable
from typing import Any, get_args

import gradio as gr

from cnnvis.ui.serving.handlers import LIGHT


def add_endpoint(function: Callable[..., Any], outputs: list[Any], queue: dict[str, Any] = LIGHT) -> None:
    """Add an endpoint called by a function's name, with inputs of its own for the function's parameters."""
    parameters = inspect.signature(function).parameters.values()
    inputs = [_input(parameter) for parameter in parameters if parameter.annotation is not gr.Request]
    name, description = function.__name__, " ".join((function.__doc__ or "").split())
    event: dict[str, Any] = {"api_name": name, "api_description": description, "preprocess": False, **queue}
    gr.Button(name).click(function, inputs, outputs, **event)


def _input(parameter: inspect.Parameter) -> Any:
    kind, about = get_args(parameter.annotation)
    if kind is Any:
        return gr.Image(type="filepath", label=f"{parameter.name}: {about}")
    if kind is str:
        return gr.Dropdown(list(about), value=parameter.default, label=parameter.name, allow_custom_value=True)
    if kind == str | None:
        return gr.Textbox(parameter.default, label=f"{parameter.name}: {about}")
    return gr.Number(parameter.default, label=f"{parameter.name}: {about}")
