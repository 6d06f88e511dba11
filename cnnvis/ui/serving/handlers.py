"""What event handlers need: the queues, errors as messages, and a place for a picture."""

import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import gradio as gr

from cnnvis.errors import CnnvisError
from cnnvis.ui.serving.addresses import fetch_inputs
from cnnvis.ui.serving.monitoring import logged
from cnnvis.ui.serving.queues import ASCENTS

# Ascents and sheets have separate queues, so neither waits for the other; rooms.py says how many may wait.
HEAVY: dict[str, Any] = {"concurrency_id": ASCENTS, "concurrency_limit": 1}
LIGHT: dict[str, Any] = {"concurrency_id": "light", "concurrency_limit": 2}
# Instant handlers never queue behind computation.
QUICK: dict[str, Any] = {"concurrency_id": "quick", "concurrency_limit": 8}
# The page's own events: they are not endpoints, and a picture stays visible while the next one is made.
PAGE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "show_progress_on": []}

# About an image that is neither; Gradio's clients make either with `handle_file`.
UNREAD = (
    "cannot be read: give an uploaded file, or the http address of one; in a program, handle_file(path or address)."
)

Handler = TypeVar("Handler", bound=Callable[..., Any])


def readable_errors(handler: Handler) -> Handler:
    """Log each call, and show a CnnvisError as a message; any other exception is a bug, logged with its traceback."""

    def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with _shown(), logged(handler, args):
            yield from handler(*args, **kwargs)

    def answer(*args: Any, **kwargs: Any) -> Any:
        with _shown(), logged(handler, args):
            return handler(*args, **kwargs)

    return functools.wraps(handler)(stream if inspect.isgeneratorfunction(handler) else answer)  # type: ignore[return-value]


@contextmanager
def _shown() -> Iterator[None]:
    try:
        yield
    except CnnvisError as error:
        raise gr.Error(str(error), print_exception=False) from error


def sentence(error: CnnvisError) -> str:
    """An error as a sentence of its own, for the place on the page that it is about."""
    text = str(error)
    return text[:1].upper() + text[1:]


class ReadableBlocks(gr.Blocks):
    """Blocks that turn Gradio's input errors into readable ones, and spend nothing on what an event leaves as it is.

    Gradio reads inputs before any handler of ours runs, and reports what it cannot read only as "an error". This
    overrides two methods of the pinned version, 6.31.
    """

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        """Read the inputs of an event. Raises gr.Error."""
        if block_fn.is_validator_function:
            return [None] * len(inputs)  # ours asks whether there is room; what cannot be read, the handler refuses
        try:
            with _shown():
                return await super().preprocess_data(block_fn, await fetch_inputs(inputs), *args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:  # pydantic's, pathlib's or the component's: all are about the given value
            files = [block.label for block in block_fn.inputs if isinstance(block, gr.Image | gr.File)]
            named = str(files[0]).partition(":")[0] if files else "an input"
            raise gr.Error(f"{named} {UNREAD}", print_exception=False) from error

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """Make an event's values ready for the browser.

        For each output that is skipped Gradio would build its component anew, and the event that draws the page skips
        most of its sixty.
        """
        if not isinstance(predictions, list | tuple) or len(predictions) != len(block_fn.outputs):
            return await super().postprocess_data(block_fn, predictions, state)
        changed = [i for i, value in enumerate(predictions) if value != gr.skip()]
        values: list[Any] = [gr.skip()] * len(predictions)
        if changed:
            part = copy.copy(block_fn)
            part.outputs = [block_fn.outputs[i] for i in changed]
            given = [predictions[i] for i in changed]
            made = await super().postprocess_data(part, given[0] if len(given) == 1 else given, state)
            for i, value in zip(changed, made, strict=True):
                values[i] = value
        return values
