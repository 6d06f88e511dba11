"""Compare finished pictures of this checkout with those of an earlier one: time, robust activation, saturation.

    git worktree add /tmp/base a264c94
    python -m benchmarks.before /tmp/base [--layers conv5_3] [--channels 4] [--repeat 3] [--json FILE]

Both run by turns in one go, each in a process of its own with its own recipe `fourier` and its own number of steps, so
that a machine's moods meet both. Times are medians; ratios of robust activation are geometric means over channels.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from benchmarks.ascent import machine, medians
from cnnvis import CONVOLUTIONS, find_layer, load_vgg16

LAYERS = ("conv1_2", "conv2_2", "conv3_1", "conv3_3", "conv4_1", "conv4_3", "conv5_1", "conv5_3")
FAINT = 0.05  # of the layer's median: below it a ratio of robust activations means nothing
# Run in each checkout, so it uses only what both have.
WORKER = """
import json, sys
import cnnvis
net = cnnvis.load_vgg16("cpu")
for line in sys.stdin:
    layer, channel = json.loads(line)
    shown = list(cnnvis.maximize(net, layer, channel))
    reached = cnnvis.score(net, shown[-1].picture, layer, channel)
    found = {"seconds": shown[-1].seconds, "first": shown[1].seconds, "robust": reached.robust,
             "saturation": reached.saturation}
    print(json.dumps(found), flush=True)
"""


class Worker:
    """A process that runs ascents with the code of one checkout."""

    def __init__(self, checkout: Path) -> None:
        command, pipe = [sys.executable, "-c", WORKER], subprocess.PIPE
        self.process = subprocess.Popen(
            command, cwd=checkout, env={"PYTHONPATH": str(checkout)}, stdin=pipe, stdout=pipe
        )
        self.run("conv1_1", 0)  # warms up

    def run(self, layer: str, channel: int) -> dict[str, float]:
        """Grow one picture, and say how long it took and what it reached."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([layer, channel]).encode() + b"\n")
        self.process.stdin.flush()
        found: dict[str, float] = json.loads(self.process.stdout.readline())
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def main() -> None:
    """Measure, print a row for each layer, and write everything as JSON if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path, help="of the earlier commit")
    parser.add_argument("--layers", nargs="+", default=list(LAYERS), choices=CONVOLUTIONS)
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report: dict[str, Any] = {"machine": machine(load_vgg16("cpu")), "rows": []}
    print(f"\n{'layer':8} {'seconds':>16} {'first picture':>16} {'time':>6} {'robust':>6}  saturation, at the most")
    with Worker(options.checkout.resolve()) as before, Worker(Path(__file__).parents[1]) as now:
        for layer in options.layers:
            mine = []
            for channel in evenly(layer, options.channels):
                runs = [(before.run(layer, channel), now.run(layer, channel)) for _ in range(options.repeat)]
                old, new = (medians(side) for side in zip(*runs, strict=True))
                mine.append({"layer": layer, "channel": channel, "before": old, "now": new})
            report["rows"] += mine
            show(layer, mine)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def evenly(layer: str, count: int) -> list[int]:
    """Channels at even distances through a layer, chosen before looking at any."""
    return [find_layer(layer).channels * (place + 1) // (count + 1) for place in range(count)]


def show(layer: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print what one layer's channels took and reached, before and now."""
    (old, new), (first_old, first_new) = (
        [statistics.median(row[side][what] for row in rows) for side in ("before", "now")]
        for what in ("seconds", "first")
    )
    saturation = max(row["now"]["saturation"] for row in rows)
    times = f"{old:7.2f} → {new:6.2f} {first_old:7.2f} → {first_new:6.2f} {new / old:6.2f}"
    print(f"{layer:8} {times} {robust_ratio(rows):6.2f}  {saturation:.1%}", flush=True)


def robust_ratio(rows: Sequence[dict[str, Any]]) -> float:
    """Robust activation now, divided by before: the geometric mean over the channels that had any to speak of."""
    usual = statistics.median(row["before"]["robust"] for row in rows)
    kept = [row for row in rows if row["before"]["robust"] > FAINT * usual]
    return statistics.geometric_mean(max(row["now"]["robust"] / row["before"]["robust"], 0.01) for row in kept)


if __name__ == "__main__":
    main()
