"""What the scripts share: their options, the machine they ran on, medians, and the JSON they write."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from cnnvis.maximization.ascent import build_record
from cnnvis.network.precision import fast_dtype
from cnnvis.network.vgg import VGG16
from cnnvis.prepared.atlas_growing import processor

Result = TypeVar("Result")
FAINT = 0.01  # weaker robust activations count as this much
LAYERS = ("conv2_2", "conv3_1", "conv3_3", "conv4_1", "conv4_3", "conv5_1", "conv5_3")  # where explanation is measured


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """A parser described by the first line of a script's docstring, with the option that every script has."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser


def read(file: Path | None) -> Any:
    """What an earlier run wrote, or None."""
    return json.loads(file.read_text(encoding="utf-8")) if file and file.exists() else None


def write(file: Path | None, report: Any) -> None:
    """Write a report as JSON, if the option named a file."""
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def machine(net: VGG16) -> dict[str, Any]:
    """Describe and print the machine and the versions, with the peak of a large matrix product in both precisions."""
    peaks = {str(dtype)[6:]: round(peak(dtype)) for dtype in (torch.float32, torch.bfloat16)}
    about = {**build_record(net, fast_dtype("cpu")), "processor": processor(), "peak_gflops": peaks}
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n")
    return about


def peak(dtype: torch.dtype, side: int = 2048) -> float:
    """The speed of a product of two square matrices in GFLOP/s, best of ten."""
    a, b = torch.randn(side, side).to(dtype), torch.randn(side, side).to(dtype)
    return 2 * side**3 / min(timed(lambda: a @ b)[1] for _ in range(10)) / 1e9


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """The result of some work, and the seconds it took."""
    begun = time.perf_counter()
    return work(), time.perf_counter() - begun


def medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each figure over several runs."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def advantage(ours: float, theirs: float) -> float:
    """By what factor one robust activation exceeds another, 0.01 to 100: a ratio to nearly nothing means nothing."""
    return min(100.0, max(0.01, max(ours, FAINT) / max(theirs, FAINT)))
