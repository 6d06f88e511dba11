"""One line of JSON for each request: what was asked for, how long it took, how it ended.

No picture, no address, nothing about the visitor. `serve` prints the lines; otherwise the logger `cnnvis.requests` is
silent unless something listens to it.
"""

import inspect
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cnnvis.errors import CnnvisError, short

log = logging.getLogger("cnnvis.requests")
log.setLevel(logging.INFO)


@contextmanager
def logged(handler: Callable[..., Any], arguments: Sequence[Any]) -> Iterator[None]:
    """Log one call of a handler and how it ended: ok, refused (with a sentence), left (by the visitor) or failed."""
    began, outcome = time.perf_counter(), "ok"
    try:
        yield
    except CnnvisError:
        outcome = "refused"
        raise
    except GeneratorExit:
        outcome = "left"
        raise
    except BaseException:
        outcome = "failed"
        raise
    finally:
        write(handler.__name__.lstrip("_"), outcome, time.perf_counter() - began, **_asked(handler, arguments))


def write(endpoint: str, outcome: str, seconds: float = 0.0, layer: Any = None, channel: Any = None) -> None:
    """Write one line."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    what = {"time": now, "endpoint": endpoint, "layer": layer, "channel": channel}
    log.info(json.dumps({**what, "seconds": round(seconds, 3), "outcome": outcome}))


def print_lines() -> None:
    """Print each line on standard output."""
    if not log.handlers:
        printer = logging.StreamHandler(sys.stdout)
        printer.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(printer)
        log.propagate = False


def _asked(handler: Callable[..., Any], arguments: Sequence[Any]) -> dict[str, Any]:
    """The layer and channel among the arguments, by name or in the layer picker's value; they may be anything."""
    named = dict(zip(inspect.signature(handler).parameters, arguments, strict=False))
    source = next((value for value in arguments if isinstance(value, dict) and "layer" in value), named)
    return {name: _plain(source.get(name)) for name in ("layer", "channel")}


def _plain(value: Any) -> Any:
    """A value that is short and that JSON can hold."""
    if value is None or (isinstance(value, str) and len(value) < 40):
        return value
    return value if isinstance(value, int) and abs(value) < 10**6 else short(value, 40)
