"""Where work runs: the same results here, on processes, and on a real Dask cluster, even when a worker is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dask
import pytest
import torch
from helpers import ROOT

from benchmarks.serving import cluster
from cnnvis.errors import SettingError, UnavailableError
from cnnvis.prepared.workers import run

PIECES = list(range(12))


def square(number: int) -> int:
    return number * number


def slow_square(number: int) -> int:
    time.sleep(0.3)
    return number * number


def threads(_: int) -> int:
    return torch.get_num_threads()


def die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def wrong(number: int) -> int:
    raise ValueError(f"not {number}")


def test_in_this_process_pieces_are_done_one_after_the_other() -> None:
    handed_out = iter(PIECES)
    results = run(square, handed_out)
    assert next(results) == (0, 0)
    assert next(handed_out) == 1  # no more than were asked for


@pytest.mark.slow
def test_processes_do_every_piece_on_one_thread_each() -> None:
    assert sorted(run(square, PIECES, workers=2)) == [(number, number**2) for number in PIECES]
    assert {count for _, count in run(threads, PIECES[:2], workers=1)} == {1}


@pytest.mark.slow
def test_a_lost_process_is_reported_in_a_sentence() -> None:
    with pytest.raises(UnavailableError, match=r"worker ended unexpectedly.*run it again"):
        list(run(die, PIECES, workers=2))
    with pytest.raises(ValueError, match="not 0"):  # a bug is not a lost worker
        list(run(wrong, PIECES[:1], workers=1))


UNGUARDED = """
from cnnvis.errors import SettingError
from cnnvis.prepared.workers import run
try:
    list(run(abs, [1, 2], workers=2))
except SettingError as error:
    print(error)
    raise
"""


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    """Every worker runs the script that started it, which must not start workers again."""
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    failed = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
    assert failed.returncode == 1
    assert "under `if __name__ == '__main__':`" in failed.stdout.splitlines()[-1] and "memory" not in failed.stdout


def test_wrong_workers_are_refused_at_once() -> None:
    for workers, scheduler in ((-1, None), (1000, None), (2, "tcp://127.0.0.1:1")):
        with pytest.raises(SettingError):
            run(square, PIECES, workers, scheduler)


@pytest.mark.slow
def test_a_cluster_does_every_piece_even_if_a_worker_is_killed(tmp_path: Path) -> None:
    with cluster(tmp_path, os.pathsep.join([str(ROOT), str(ROOT / "tests")])) as (address, workers):
        assert sorted(run(square, PIECES, scheduler=address)) == [(number, number**2) for number in PIECES]
        done = []
        for piece, result in run(slow_square, PIECES, scheduler=address):
            done.append((piece, result))
            if len(done) == 3:
                workers[0].kill()
    assert sorted(done) == [(number, number**2) for number in PIECES]


def test_a_missing_cluster_is_reported_in_a_sentence() -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(UnavailableError, match=r"no Dask scheduler responds at tcp://127\.0\.0\.1:1"),
    ):
        list(run(square, PIECES, scheduler="tcp://127.0.0.1:1"))
