"""Everything a person can get wrong, each with a sentence that says what came and what would do.

CnnvisError
├── LayerError      a layer name nobody knows, or one that does not fit the question
├── ChannelError    a channel outside the layer
├── SettingError    a setting outside its range
├── PhotoError      a picture that cannot or should not be opened
└── WeightsError    a weights file that is not VGG16

The page turns exactly these into a message, the command line into one line and exit code 2.
Anything else is a bug.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class CnnvisError(Exception):
    """The base of every error a person can cause."""


class LayerError(CnnvisError):
    """A layer that does not exist, or does not fit the question."""

    @classmethod
    def unknown(cls, name: object, known: Iterable[str]) -> "LayerError":
        """No layer is called `name`; the nearest of `known` are offered."""
        known = list(known)
        near = get_close_matches(str(name).lower(), known, n=3, cutoff=0.5)
        offer = f"Did you mean {' or '.join(near)}?" if near else f"The layers are {known[0]} to {known[-1]}."
        dialects = "(conv3_1 may also be written features.10, 10 or block3_conv1.)"
        return cls(f"layer {short(name)} does not exist. {offer} {dialects}")

    @classmethod
    def no_classifier(cls) -> "LayerError":
        """The layer `class`, where only the convolutional half was loaded."""
        return cls("layer 'class' is part of the whole network: load it with CNNVIS_WEIGHTS=hub (553 MB, once).")

    @classmethod
    def not_a_convolution(cls, name: str, nearest: str) -> "LayerError":
        """A question about weights or plain convolutions, asked of a ReLU or pooling layer."""
        return cls(f"layer {name!r} has no filters of its own: choose a convolution, for example {nearest!r}.")


class ChannelError(CnnvisError):
    """A channel outside the layer."""

    @classmethod
    def outside(cls, name: str, value: object, channels: int, layer: str) -> "ChannelError":
        """`name` is the parameter ("channel", "input_channel"), `channels` how many the layer has."""
        return cls(f"{name} {short(value)} does not exist in {layer}: choose a whole number from 0 to {channels - 1}.")

    @classmethod
    def no_weights(cls, value: object, layer: str) -> "ChannelError":
        """Several channels at once, whose weights are no numbers, or all zero."""
        example = "{0: 1.0, 1: -0.5}"
        return cls(f"channels {short(value)} of {layer} have no weights to go by: give numbers as in {example}.")


class SettingError(CnnvisError):
    """A setting outside what is allowed."""

    @classmethod
    def outside(cls, name: str, value: object, low: object, high: object, unit: str = "") -> "SettingError":
        """A number outside `low` to `high`."""
        return cls(f"{name} {short(value)} is out of range: choose {low} to {high}{' ' + unit if unit else ''}.")

    @classmethod
    def not_one_of(cls, name: str, value: object, allowed: Iterable[str]) -> "SettingError":
        """A word that is not among the `allowed` ones."""
        return cls(f"{name} {short(value)} is unknown: choose one of {', '.join(allowed)}.")


class PhotoError(CnnvisError):
    """A picture that cannot or should not be opened."""


class WeightsError(CnnvisError):
    """A weights file that is not a VGG16."""


def short(value: object, limit: int = 60) -> str:
    """`repr`, cut: what came may be a megabyte of somebody's clipboard."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        text = f"a {type(value).__name__} too long to write"
    return text if len(text) <= limit else text[:limit] + "…"
