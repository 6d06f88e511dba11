"""Compare ascents in one run on this machine: the original loop, ours, and Lucent and DreamLens if installed.

    python -m benchmarks.ascent [--seconds 10] [--layers conv4_3 conv5_3] [--repeat 1] [--json FILE]

Prints three tables. Speed: the cost of one step at 224 px, compared with the original loop and with the machine's peak.
Quality: saved activation and robust activation after the same wall time. Defaults: how long `fourier` takes with its
own number of steps. Compare figures only within one run. benchmarks/README.md has the results, and explains how to
install the other tools.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from benchmarks.report import advantage, machine, medians, parser_of, timed, write
from benchmarks.rivals import installed, run_rival
from cnnvis import load_vgg16, maximize, score
from cnnvis.maximization.recipes import Settings
from cnnvis.network.vgg import VGG16, cut
from cnnvis.network.weights import read_weights

CHANNELS = {  # two per layer, chosen before looking at any: a third and two thirds of the way through
    "conv1_2": (21, 42), "conv2_2": (42, 85), "conv3_1": (85, 170), "conv3_3": (85, 170),
    "conv4_3": (170, 341), "conv5_1": (170, 341), "conv5_3": (170, 341),
}  # fmt: skip
SIZE = 224  # px
STEPS_TIMED = 12
State = Mapping[str, Tensor]


def main() -> None:
    """Run all comparisons, print them, and write them as JSON if asked."""
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--layers", nargs="+", default=list(CHANNELS), choices=list(CHANNELS))
    parser.add_argument("--repeat", type=int, default=1, help="measure everything this often and print the medians")
    options = parser.parse_args()
    net, state = load_vgg16("cpu"), read_weights()[0]
    report: dict[str, Any] = {"machine": machine(net), "memory_mb": memory(net)}
    report["speed"] = speed(net, state, options.layers, report["machine"], options.repeat)
    report["quality"] = quality(net, state, options.layers, options.seconds, options.repeat)
    report["defaults"] = defaults(net, options.layers, options.repeat)
    write(options.json, report)


def memory(net: VGG16) -> int:
    """The most memory that a 224 px ascent at conv5_3 adds to the process, in MB."""
    before = _status("VmRSS")
    list(maximize(net, "conv5_3", 0, steps=4, every=math.inf))
    grown = _status("VmHWM") - before
    print(f"memory: a 224 px ascent at conv5_3 adds {grown} MB")
    return grown


def _status(name: str) -> int:
    """A figure from /proc/self/status in MB, or 0 on a system without it."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith(name)), 0)


def speed(net: VGG16, state: State, layers: Sequence[str], about: dict[str, Any], repeat: int) -> list[dict[str, Any]]:
    """Time a step at 224 px in ms: the original loop, `erhan`, `fourier` on the whole picture, and plain `fourier`."""
    rows = []
    heads = f"{'original':>9} {'erhan':>7} {'whole':>7} {'fourier':>7} {'ratio':>7} {'of peak':>8}"
    print(f"\n{'layer':8} {heads}   ms/step")
    for layer in layers:
        times = medians([_step_times(net, state, layer) for _ in range(repeat)])
        gflop = 4e-9 * multiply_adds(net, layer)  # two per multiply-add, one forward pass and one backward
        ratio = times["original_ms"] / times["whole_ms"]
        share = gflop / (times["whole_ms"] / 1000) / about["peak_gflops"][about["precision"]]
        rows.append({"layer": layer, **times, "ratio": ratio, "share_of_peak": share})
        line = " ".join(f"{time:7.1f}" for time in times.values())
        print(f"{layer:8}   {line}  {ratio:5.1f}×  {100 * share:6.0f} %", flush=True)
    return rows


def _step_times(net: VGG16, state: State, layer: str) -> dict[str, float]:
    original = run_rival("original", state, layer, CHANNELS[layer][0], 3.0)
    return {
        "original_ms": 1000 * original.seconds / original.steps,
        "erhan_ms": step_ms(net, layer, "erhan"),
        "whole_ms": step_ms(net, layer, "fourier", crop=1.0),
        "fourier_ms": step_ms(net, layer, "fourier"),
    }


def step_ms(net: VGG16, layer: str, recipe: str, **settings: Any) -> float:
    """The cost of a step in ms, best of three: the time that extra steps add to an ascent, divided by their number."""

    def seconds(steps: int) -> float:
        *_, last = maximize(net, layer, 0, recipe, size=SIZE, steps=steps, every=math.inf, **settings)
        return last.seconds

    return 1000 * min(seconds(2 + STEPS_TIMED) - seconds(2) for _ in range(3)) / STEPS_TIMED


def multiply_adds(net: VGG16, layer: str) -> float:
    """The number of multiply-adds in one forward pass at 224 px, up to a layer."""
    total, side = 0.0, SIZE
    for name, module in cut(net, layer).named_children():
        if isinstance(module, nn.Conv2d):
            total += module.weight.numel() * side**2
        side //= 2 if name.startswith("pool") else 1
    return total


def quality(net: VGG16, state: State, layers: Sequence[str], seconds: float, repeat: int) -> list[dict[str, Any]]:
    """Saved activation and robust activation of every tool after `seconds`, medians over the repetitions."""
    tools = ["fourier", *installed()]
    print(f"\nrobust activation after {seconds:g} s (and saved activation)\n{'channel':12}", *tools)
    rows, chosen = [], [(layer, channel) for layer in layers for channel in CHANNELS[layer]]
    for layer, channel in chosen:
        reached = {}
        for tool in tools:
            reached[tool] = medians([_score(net, state, tool, layer, channel, seconds) for _ in range(repeat)])
        rows.append({"layer": layer, "channel": channel, "tools": reached})
        cells = (f"{figures['robust']:7.2f} ({figures['saved']:7.2f})" for figures in reached.values())
        print(f"{layer} {channel:4}", *cells, flush=True)
    for tool in tools[1:]:
        print(f"fourier / {tool}:", ", ".join(f"{name} {ratio:.2f}×" for name, ratio in ratios(rows, tool).items()))
    return rows


def ratios(rows: Sequence[dict[str, Any]], tool: str) -> dict[str, float]:
    """Our robust activation divided by a tool's: geometric means by layer, and over all of conv4 and conv5."""
    groups: dict[str, list[float]] = {}
    for row in rows:
        ratio = advantage(row["tools"]["fourier"]["robust"], row["tools"][tool]["robust"])
        groups.setdefault(row["layer"], []).append(ratio)
        if row["layer"][4] in "45":
            groups.setdefault("conv4 and conv5", []).append(ratio)
    return {name: statistics.geometric_mean(group) for name, group in groups.items()}


def _score(net: VGG16, state: State, tool: str, layer: str, channel: int, seconds: float) -> dict[str, float]:
    if tool == "fourier":
        *_, last = maximize(net, layer, channel, Settings(steps=512, seconds=seconds), every=math.inf)
        picture, steps = last.picture, last.step
    else:
        run = run_rival(tool, state, layer, channel, seconds)
        picture, steps = run.picture, run.steps
    reached = score(net, picture, layer, channel)
    figures = {"robust": reached.robust, "saved": reached.saved_activation, "saturation": reached.saturation}
    return {**figures, "steps": float(steps)}


def defaults(net: VGG16, layers: Sequence[str], repeat: int) -> list[dict[str, Any]]:
    """How long `fourier` takes with its own number of steps, to its end and to its first growing picture."""
    heads = f"{'layer':8} {'steps':>5} {'seconds':>8} {'first':>6} {'robust':>8} {'saturated':>9} {'score':>6}"
    print(f"\n{heads}   fourier by default")
    rows = []
    for layer in layers:
        row: dict[str, Any] = {"layer": layer, **medians([_as_it_comes(net, layer) for _ in range(repeat)])}
        rows.append(row)
        times = f"{row['steps']:5} {row['seconds']:8.2f} {row['first']:6.2f} {row['robust']:8.2f}"
        print(f"{layer:8} {times} {100 * row['saturation']:7.1f} % {row['score_seconds']:6.2f}", flush=True)
    return rows


def _as_it_comes(net: VGG16, layer: str) -> dict[str, float]:
    channel = CHANNELS[layer][0]
    shown = list(maximize(net, layer, channel))
    reached, score_seconds = timed(lambda: score(net, shown[-1].picture, layer, channel))
    times = {"steps": shown[-1].steps, "seconds": shown[-1].seconds, "first": shown[1].seconds}
    return {**times, "score_seconds": score_seconds, "robust": reached.robust, "saturation": reached.saturation}


if __name__ == "__main__":
    main()
