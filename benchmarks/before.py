"""Compare finished pictures of this checkout with those of an earlier one: time, robust activation, saturation.

    git worktree add /tmp/base a264c94
    python -m benchmarks.before /tmp/base [--layers conv5_3] [--channels 4] [--repeat 3] [--size 224] [--json FILE]

Both run in alternation, so that a slow spell of the machine affects both, each in its own process with its own recipe
`fourier` and number of steps; also with its own size of a picture, unless --size gives one. Times are medians; ratios
of robust activation are geometric means over channels.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.serving import ROOT
from cnnvis import CONVOLUTIONS, find_layer, load_vgg16

FAINT = 0.05  # of the layer's median: below it a ratio of robust activations means nothing
# Runs in each checkout, so it uses only names that both have.
WORKER = """
import json, sys
import cnnvis
net = cnnvis.load_vgg16("cpu")
for line in sys.stdin:
    layer, channel, settings = json.loads(line)
    shown = list(cnnvis.maximize(net, layer, channel, **settings))
    reached = cnnvis.score(net, shown[-1].picture, layer, channel)
    figures = {"seconds": shown[-1].seconds, "first": shown[1].seconds, "robust": reached.robust,
               "saturation": reached.saturation}
    print(json.dumps(figures), flush=True)
"""


@contextmanager
def worker(checkout: Path, **settings: int) -> Iterator[Callable[[str, int], dict[str, float]]]:
    """Run one checkout's code in a process; yields a function that grows a channel's picture there and measures it."""
    command, path, pipe = [sys.executable, "-c", WORKER], {"PYTHONPATH": str(checkout)}, subprocess.PIPE
    process = subprocess.Popen(command, cwd=checkout, env=path, stdin=pipe, stdout=pipe, text=True)

    def run(layer: str, channel: int) -> dict[str, float]:
        assert process.stdout
        print(json.dumps([layer, channel, settings]), file=process.stdin, flush=True)
        figures: dict[str, float] = json.loads(process.stdout.readline())
        return figures

    try:
        run("conv1_1", 0)  # warms up
        yield run
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Measure, print a row for each layer, and write everything as JSON if asked."""
    parser = report.parser_of(__doc__)
    parser.add_argument("checkout", type=Path, help="of the earlier commit")
    parser.add_argument("--layers", nargs="+", default=["conv1_2", *report.LAYERS], choices=CONVOLUTIONS)
    parser.add_argument("--channels", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--size", type=int, help="of both's pictures; without it, each one's own")
    options = parser.parse_args()
    settings = {"size": options.size} if options.size else {}
    figures: dict[str, Any] = {"machine": report.machine(load_vgg16("cpu")), "rows": []}
    print(f"\n{'layer':8} {'seconds':>16} {'first picture':>16} {'time':>6} {'robust':>6}  highest saturation")
    with worker(options.checkout.resolve(), **settings) as before, worker(ROOT, **settings) as now:
        for layer in options.layers:
            rows = []
            for channel in evenly(layer, options.channels):
                runs = [(before(layer, channel), now(layer, channel)) for _ in range(options.repeat)]
                old, new = (report.medians(side) for side in zip(*runs, strict=True))
                rows.append({"layer": layer, "channel": channel, "before": old, "now": new})
            figures["rows"] += rows
            show(layer, rows)
    report.write(options.json, figures)


def evenly(layer: str, count: int) -> list[int]:
    """Channels at even distances through a layer, chosen before looking at any."""
    return [find_layer(layer).channels * number // (count + 1) for number in range(1, count + 1)]


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
    """Robust activation now divided by before: the geometric mean over channels that had any to speak of."""
    usual = statistics.median(row["before"]["robust"] for row in rows)
    kept = [row for row in rows if row["before"]["robust"] > FAINT * usual]
    return statistics.geometric_mean(max(row["now"]["robust"] / row["before"]["robust"], 0.01) for row in kept)


if __name__ == "__main__":
    main()
