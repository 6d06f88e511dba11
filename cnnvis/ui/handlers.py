"""What every event handler of the page and of the endpoints needs: errors for people, pictures as files, the queues."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from cnnvis.errors import CnnvisError
from cnnvis.images import encode

# An ascent never waits behind a contact sheet, nor a sheet behind an ascent.
HEAVY: dict[str, Any] = {"concurrency_id": "heavy", "concurrency_limit": 1}
LIGHT: dict[str, Any] = {"concurrency_id": "light", "concurrency_limit": 2}
# Queued too, though they take no time: what skips the queue does not set off the `change` of a gr.State.
QUICK: dict[str, Any] = {"concurrency_id": "quick", "concurrency_limit": 8}
# Events of the page itself: no endpoints, and a picture stays visible while the next one is made.
PAGE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

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


def picture_file(picture: Image.Image, name: str, kind: str = "png", text: Mapping[str, str] | None = None) -> str:
    """A picture as a PNG or JPEG file in gradio's cache, which deletes it in time; gradio itself would make it WebP."""
    suffix = "jpg" if kind == "jpeg" else kind
    return save_bytes_to_cache(encode(picture, kind, text), f"{name}.{suffix}", get_upload_folder())


def file_url(path: str) -> str:
    """The address of a file in gradio's cache, relative to the page."""
    return f"gradio_api/file={path}"
