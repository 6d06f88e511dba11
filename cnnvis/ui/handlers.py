"""What every event handler of the page and of the endpoints needs: errors for people, pictures as files, the queues."""

import base64
import functools
import hashlib
import inspect
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder
from PIL import Image

from cnnvis.errors import CnnvisError
from cnnvis.images import encode

# An ascent never waits behind a contact sheet, nor a sheet behind an ascent.
HEAVY: dict[str, Any] = {"concurrency_id": "heavy", "concurrency_limit": 1}
LIGHT: dict[str, Any] = {"concurrency_id": "light", "concurrency_limit": 2}
# What takes no time waits for nothing that computes.
QUICK: dict[str, Any] = {"concurrency_id": "quick", "concurrency_limit": 8}
# Events of the page itself: no endpoints, and a picture stays visible while the next one is made.
PAGE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "show_progress_on": []}

Handler = TypeVar("Handler", bound=Callable[..., Any])


def for_people(handler: Handler) -> Handler:
    """Show what a person can put right as a message; anything else is a bug, and is logged with its traceback."""

    def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            yield from handler(*args, **kwargs)
        except CnnvisError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except CnnvisError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return functools.wraps(handler)(stream if inspect.isgeneratorfunction(handler) else answer)  # type: ignore[return-value]


def refuse_wrong_types(page: gr.Blocks) -> None:
    """Word what gradio cannot read of an input; by itself it would say no more than that something went wrong."""
    read = page.preprocess_data

    async def preprocess_data(block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return await read(block_fn, inputs, *args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:  # pydantic's, pathlib's, the component's own: all about what came
            files = [block.label for block in block_fn.inputs if isinstance(block, gr.Image | gr.File)]
            named = str(files[0]).partition(":")[0] if files else "an input"
            sentence = f"{named} cannot be read: give a file that was uploaded, or an http address of one."
            raise gr.Error(sentence, print_exception=False) from error

    page.preprocess_data = preprocess_data  # type: ignore[method-assign]


def picture_file(picture: Image.Image, name: str, kind: str = "png", record: Mapping[str, Any] | None = None) -> str:
    """A picture as a PNG or JPEG file in gradio's cache, which deletes it in time; gradio itself would make it WebP."""
    return bytes_file(encode(picture, kind, record), f"{name}.{'jpg' if kind == 'jpeg' else kind}")


def bytes_file(content: bytes, name: str) -> str:
    """Bytes as a file in gradio's cache, in a folder named after them.

    A file that is there stays: somebody may be reading it, and gradio's own `save_bytes_to_cache` would empty it first.
    """
    folder = Path(get_upload_folder()) / hashlib.sha256(content).hexdigest()
    path = folder / name
    if path.exists():
        os.utime(path)  # gradio deletes what has grown old
    else:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{secrets.token_hex(8)}"
        part.write_bytes(content)
        part.replace(path)
    return str(path)


def file_url(path: str) -> str:
    """The address of a file in gradio's cache, relative to the page."""
    return f"gradio_api/file={path}"


def data_url(picture: Image.Image) -> str:
    """A small picture as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(encode(picture)).decode()


def large_picture(label: str, elem_id: str, *classes: str, height: int, visible: bool = True) -> gr.Image:
    """A place for a picture that the page makes."""
    return gr.Image(
        label=label,
        show_label=False,
        type="filepath",
        interactive=False,
        buttons=["download", "fullscreen"],
        height=height,
        min_width=140,
        visible=visible,
        elem_id=elem_id,
        elem_classes=["picture", *classes],
    )


def photo_input(value: str | None = None, **options: Any) -> gr.Image:
    """An image input that hands over the path of the file as it came.

    gr.Image itself opens every file on its way in, before any limit of ours, and what it cannot open is a bug to it.
    Here the engine opens it, and words what is wrong. (Not a subclass: gradio would write a stub file beside it.)
    """
    image = gr.Image(value, type="filepath", image_mode=None, **options)
    decode = image.preprocess

    def path_of(payload: ImageData | None) -> Any:
        if payload is None or payload.path:
            return payload and payload.path
        try:
            return decode(payload)  # a data: URL
        except Exception as error:
            sentence = "image is neither an uploaded file nor a readable picture."
            raise gr.Error(sentence, print_exception=False) from error

    image.preprocess = path_of  # type: ignore[method-assign]
    return image
