"""What event handlers need: the queues, and errors as messages."""

import copy
import functools
import html
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import gradio as gr

from cnnvis.errors import CnnvisError
from cnnvis.ui.serving.addresses import fetch_inputs
from cnnvis.ui.serving.monitoring import logged
from cnnvis.ui.serving.queues import ASCENTS

# Ascents and sheets have separate queues, so neither waits for the other; queues.py says how many may wait.
HEAVY: dict[str, Any] = {"concurrency_id": ASCENTS, "concurrency_limit": 1}
LIGHT: dict[str, Any] = {"concurrency_id": "light", "concurrency_limit": 2}
# Animations take seconds to encode: two of them must not keep everybody's sheets waiting.
ENCODING: dict[str, Any] = {"concurrency_id": "encoding", "concurrency_limit": 1}
# Instant handlers never queue behind computation.
QUICK: dict[str, Any] = {"concurrency_id": "quick", "concurrency_limit": 8}
# The page's own events: they are not endpoints, and a picture stays visible until the next one is ready.
PAGE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "show_progress_on": []}

# Of an image that is neither; Gradio's clients make either with `handle_file`.
UNREAD = (
    "cannot be read: give an uploaded file, or the http address of one; in a program, handle_file(path or address)."
)

Handler = TypeVar("Handler", bound=Callable[..., Any])
_AS_TEXT = partial(html.escape, quote=False)


def readable_errors(handler: Handler, to_html: Callable[[str], str] = _AS_TEXT) -> Handler:
    """Log each call and show a CnnvisError as a message. Anything else is a bug, logged with its traceback.

    The page draws a message as HTML, so what it quotes of an address or a file's name must not become markup.
    """

    def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with _shown(to_html), logged(handler, args):
            yield from handler(*args, **kwargs)

    def answer(*args: Any, **kwargs: Any) -> Any:
        with _shown(to_html), logged(handler, args):
            return handler(*args, **kwargs)

    return functools.wraps(handler)(stream if inspect.isgeneratorfunction(handler) else answer)  # type: ignore[return-value]


def plain_errors(handler: Handler) -> Handler:
    """The same for an endpoint: programs get the sentence as it is."""
    return readable_errors(handler, str)


@contextmanager
def _shown(to_html: Callable[[str], str] = str) -> Iterator[None]:
    try:
        yield
    except CnnvisError as error:
        raise gr.Error(to_html(str(error)), print_exception=False) from error


class ReadableBlocks(gr.Blocks):
    """Blocks that make Gradio's input errors readable, and spend no time on outputs that an event leaves as they are.

    Gradio reads inputs before any handler of ours runs, and reports what it cannot read only as "an error"
    (gradio#6623). This overrides two methods of the pinned version, 6.31: the first can go when Gradio names the input,
    the second when it passes over skipped outputs.
    """

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        """Read the inputs of an event; a program may leave out the last ones. Raises gr.Error."""
        inputs = [*inputs, *(block.value for block in block_fn.inputs[len(inputs) :])]
        if block_fn.is_validator_function:
            return [None] * len(inputs)  # ours only asks whether there is room; the handler refuses bad inputs
        try:
            with _shown():
                return await super().preprocess_data(block_fn, await fetch_inputs(inputs), *args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:  # from pydantic, pathlib or the component: all are about the given value
            files = [block.label for block in block_fn.inputs if isinstance(block, gr.Image | gr.File)]
            named = str(files[0]).partition(":")[0] if files else "an input"
            raise gr.Error(f"{named} {UNREAD}", print_exception=False) from error

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """Make an event's values ready for the browser.

        Gradio would rebuild the component of every skipped output, and the event that draws the page skips most of its
        sixty.
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
