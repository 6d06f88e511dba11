"""Where making runs: the same results here, on processes, and on a real Dask cluster, also when a worker is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import dask
import pytest
from helpers import ROOT

from cnnvis.errors import SettingError, UnavailableError
from cnnvis.prepared.workers import run

PIECES = list(range(12))


def square(number: int) -> int:
    return number * number


def slow_square(number: int) -> int:
    time.sleep(0.3)
    return number * number


def threads(_: int) -> int:
    import torch

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
    assert next(handed_out) == 1  # no more than asked for


@pytest.mark.slow
def test_processes_do_every_piece_on_one_thread_each() -> None:
    assert sorted(run(square, PIECES, workers=2)) == [(number, number**2) for number in PIECES]
    assert {count for _, count in run(threads, PIECES[:2], workers=1)} == {1}


@pytest.mark.slow
def test_a_lost_process_is_said_in_a_sentence() -> None:
    with pytest.raises(UnavailableError, match=r"worker ended unexpectedly.*start again"):
        list(run(die, PIECES, workers=2))
    with pytest.raises(ValueError, match="not 0"):  # a bug is no lost worker
        list(run(wrong, PIECES[:1], workers=1))


def test_wrong_workers_are_refused_at_once() -> None:
    for workers, scheduler in ((-1, None), (1000, None), (2, "tcp://127.0.0.1:1")):
        with pytest.raises(SettingError):
            run(square, PIECES, workers, scheduler)


# A Dask cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, as separate programs."""
    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    here = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    scheduler = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
         "--scheduler-file", str(file)],
        env=here, cwd=folder, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(300):
        if file.exists():
            break
        time.sleep(0.1)
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1",
             "--no-dashboard", "--no-nanny"],
            env=here, cwd=folder, stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]  # fmt: skip
    yield json.loads(file.read_text())["address"], workers
    for process in (*workers, scheduler):
        process.terminate()
        process.wait(20)


@pytest.mark.slow
def test_a_cluster_does_every_piece_even_if_a_worker_is_killed(
    cluster: tuple[str, list[subprocess.Popen[bytes]]],
) -> None:
    address, workers = cluster
    assert sorted(run(square, PIECES, scheduler=address)) == [(number, number**2) for number in PIECES]
    done = []
    for piece, result in run(slow_square, PIECES, scheduler=address):
        done.append((piece, result))
        if len(done) == 3:
            workers[0].kill()
    assert sorted(done) == [(number, number**2) for number in PIECES]


def test_a_cluster_that_is_not_there_is_said_in_a_sentence() -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(UnavailableError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"),
    ):
        list(run(square, PIECES, scheduler="tcp://127.0.0.1:1"))
