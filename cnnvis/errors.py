"""Every error a person can cause. Each says what was given and what is allowed.

The page shows them as messages; the command line prints one line and exits with code 2. Any other exception is a bug.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

# Everything that needs the classifier says this.
GET_WHOLE_NETWORK = "start with CNNVIS_WEIGHTS=hub to download the whole network (553 MB, once)"


class CnnvisError(Exception):
    """The base of every error a person can cause. Only a terminal shows its notes, such as a file's full path."""

    def in_terminal(self) -> str:
        """The sentence and its notes, on one line."""
        return " ".join([str(self), *(f"({note})" for note in getattr(self, "__notes__", ()))])

    def sentence(self) -> str:
        """As a whole sentence, for the part of a page that it is about."""
        text = str(self)
        return text[:1].upper() + text[1:]


class LayerError(CnnvisError):
    """A layer that does not exist, or cannot be used here."""

    @classmethod
    def unknown(cls, name: object, known: Iterable[str]) -> "LayerError":
        """No layer is called `name`; offers the closest names among `known`, those of its block first."""
        known = list(known)
        asked = re.sub(r"block(\d+)[_/]?(conv|pool)", r"\2\1_", str(name).lower()).rstrip("_")
        near = get_close_matches(asked, known, n=3, cutoff=0.5)
        offer = f"Did you mean {' or '.join(near)}?" if near else f"The layers are {known[0]} to {known[-1]}."
        dialects = "(conv3_1 may also be written features.10, 10 or block3_conv1.)"
        return cls(f"layer {short(name)} does not exist. {offer} {dialects}")

    @classmethod
    def with_channel(cls, name: object) -> "LayerError":
        """A layer with a channel, as in "conv5_3:165", where only a layer is expected."""
        return cls(f"layer {short(name)} includes a channel: give only the layer here.")

    @classmethod
    def other_classes(cls, classes: int) -> "LayerError":
        """The layer `class` of a network whose classes are not ImageNet's."""
        return cls(f"layer 'class' has {classes} classes in these weights: the page supports only ImageNet's 1,000.")

    @classmethod
    def no_classifier(cls) -> "LayerError":
        """The layer `class` when only the convolutional half is loaded."""
        return cls(f"layer 'class' belongs to the classifier, which is not loaded: {GET_WHOLE_NETWORK}.")

    @classmethod
    def not_a_convolution(cls, name: str, nearest: str) -> "LayerError":
        """A ReLU, pooling or class layer where a convolution is needed."""
        return cls(f"layer {name!r} has no filters of its own: choose a convolution, for example {nearest!r}.")


class ChannelError(CnnvisError):
    """A channel outside the layer."""

    @classmethod
    def outside(cls, name: str, value: object, channels: int, layer: str) -> "ChannelError":
        """A channel that a layer of `channels` channels lacks; `name` is the parameter ("channel", "input_channel")."""
        return cls(f"{name} {short(value)} does not exist in {layer}: choose a whole number from 0 to {channels - 1}.")

    @classmethod
    def twice(cls, number: str, channel: object) -> "ChannelError":
        """A channel in the layer's name, as in "conv5_3:165", and another one given separately."""
        return cls(f"channel {short(number)} is in the layer's name and {short(channel)} was given too: give only one.")

    @classmethod
    def no_weights(cls, value: object, layer: str) -> "ChannelError":
        """Several channels whose weights are not numbers, or are all zero."""
        example = "{0: 1.0, 1: -0.5}"
        return cls(f"channels {short(value)} of {layer} have no usable weights: give numbers, such as {example}.")

    @classmethod
    def unread(cls, value: object) -> "ChannelError":
        """Text that is not a direction."""
        example = '{"17": 0.8, "42": 0.4}'
        return cls(f"direction {short(value)} cannot be read: give channels and their weights, {example}.")


class SettingError(CnnvisError):
    """A setting, word or file name that is not allowed."""

    @classmethod
    def outside(cls, name: str, value: object, low: object, high: object, unit: str = "") -> "SettingError":
        """A number that is not between `low` and `high`."""
        return cls(f"{name} {short(value)} is out of range: choose {low} to {high}{' ' + unit if unit else ''}.")

    @classmethod
    def not_one_of(cls, name: str, value: object, allowed: Iterable[str]) -> "SettingError":
        """A word that is not among the `allowed` ones."""
        return cls(f"{name} {short(value)} is unknown: choose one of {', '.join(map(str, allowed))}.")

    @classmethod
    def check(cls, name: str, value: Any, allowed: Iterable[Any]) -> Any:
        """Return `value` if it is one of the `allowed` ones, of the same type; otherwise raise."""
        allowed = list(allowed)
        # `in` is not enough: 1 equals True, but only True is a switch.
        if not any(type(value) is type(word) and value == word for word in allowed):
            raise cls.not_one_of(name, value, allowed)
        return value


class PhotoError(CnnvisError):
    """A picture, or its record, that cannot be used."""


class WeightsError(CnnvisError):
    """Weights that cannot be found, read or used."""

    @classmethod
    def not_ours(cls, net: object) -> "WeightsError":
        """Something else given as the network, such as a module from torchvision."""
        way = "load one with load_vgg16(); for your own weights, save a state_dict() and set CNNVIS_WEIGHTS to its file"
        return cls(f"the network is a {type(net).__name__}, not a network from cnnvis: {way}.")


class ShelfError(CnnvisError):
    """A shelf of photos that cannot be found, read or used."""

    @classmethod
    def no_spread(cls, exists: bool) -> "ShelfError":
        """What is usual at a place is unknown: there is no shelf of these weights, or only one of version 1."""
        need = "dictionary, mosaic, groups and concepts need"
        if exists:
            return cls(f"{need} a photo shelf of this version: make yours again with `shelf make`.")
        return cls(f"{need} a photo shelf made with these weights: make one with `shelf make`.")


class AtlasError(CnnvisError):
    """A layer of the atlas that cannot be found, read or used."""


class ConceptsError(CnnvisError):
    """The concepts of a layer that cannot be found, read or used."""


class UnavailableError(CnnvisError):
    """Something this machine cannot do right now: nobody's mistake, and worth another try."""

    @classmethod
    def disk(cls) -> "UnavailableError":
        """The disk accepts no more files."""
        return cls("the server cannot store pictures at the moment: try again in a few minutes.")

    @classmethod
    def memory(cls) -> "UnavailableError":
        """The memory of the GPU, or of the machine, is full."""
        return cls("there is not enough memory for this at the moment: try a smaller size, or try again in a minute.")

    @classmethod
    def worker(cls) -> "UnavailableError":
        """A worker process has disappeared."""
        return cls("a worker ended unexpectedly, perhaps for lack of memory: run it again; finished work is kept.")


def short(value: object, limit: int = 60) -> str:
    """`repr`, shortened: the value may be a megabyte from somebody's clipboard."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out an int of thousands of digits
        text = f"a {type(value).__name__} too long to write"
    return text if len(text) <= limit else text[:limit] + "…"
