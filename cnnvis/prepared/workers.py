"""Where making runs: in this process, on several processes of one thread each, or on a Dask cluster.

Work is a list of independent pieces: plain values in, plain values out, and a piece may be done twice. Results come
back in any order, a few at a time, so a million pieces need no more memory than ten.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import torch

from cnnvis.checks import whole_between
from cnnvis.errors import SettingError, UnavailableError

Piece = TypeVar("Piece")
Result = TypeVar("Result")
MAX_WORKERS = 256
AHEAD = 2  # pieces handed out for each worker, so that none waits


def run(
    function: Callable[[Piece], Result], pieces: Iterable[Piece], workers: int = 0, scheduler: str | None = None
) -> Iterator[tuple[Piece, Result]]:
    """Do all pieces and yield each with its result.

    `workers` is a number of processes, 0 for this one with all its threads. `scheduler` is the address of a Dask
    cluster, tcp://HOST:PORT; its workers need cnnvis, and the same files under the same paths.
    Raises SettingError at once, UnavailableError if a worker or the cluster is lost.
    """
    workers = whole_between("workers", workers, 0, MAX_WORKERS)
    if scheduler and workers:
        raise SettingError("workers and scheduler exclude each other: a cluster has workers of its own.")
    if scheduler:
        return _on_cluster(function, pieces, scheduler)
    if workers:
        return _on_processes(function, pieces, workers)
    return ((piece, function(piece)) for piece in pieces)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def keep_plan(folder: Path, plan: object) -> None:
    """Prepare the folder of unfinished work: keep what an earlier start left there, if it had the same plan."""
    digest = hashlib.sha256(json.dumps(plan).encode()).hexdigest()
    place = folder / "plan"
    if not place.exists() or place.read_text() != digest:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_whole(place, digest.encode())


def on_one_thread(function: Callable[[Piece], Result], piece: Piece) -> Result:
    """Do a piece on one thread: several processes share the cores, and results depend on the number of threads."""
    torch.set_num_threads(1)
    return function(piece)


def _end_with_parent() -> None:
    """End this worker when the process that started it is killed; otherwise it would wait for work for ever."""
    parent = parent_process()
    assert parent

    def wait_for_it() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait_for_it, daemon=True).start()


def _on_processes(
    function: Callable[[Piece], Result], pieces: Iterable[Piece], workers: int
) -> Iterator[tuple[Piece, Result]]:
    rest = iter(pieces)
    # Started afresh: a fork would inherit PyTorch's threads without their locks.
    with ProcessPoolExecutor(workers, get_context("spawn"), _end_with_parent) as pool:
        waiting: dict[Future[Result], Piece] = {}

        def hand_out(count: int) -> None:
            for piece in islice(rest, count):
                waiting[pool.submit(on_one_thread, function, piece)] = piece

        hand_out(AHEAD * workers)
        try:
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield waiting.pop(future), future.result()
                    hand_out(1)
        except BrokenProcessPool as error:
            raise UnavailableError.worker() from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _on_cluster(
    function: Callable[[Piece], Result], pieces: Iterable[Piece], scheduler: str
) -> Iterator[tuple[Piece, Result]]:
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError as error:
        raise SettingError("scheduler needs Dask: pip install distributed.") from error
    try:
        client = Client(scheduler)
    except (OSError, ValueError, TimeoutError) as error:
        raise UnavailableError(f"no Dask scheduler answers at {scheduler}: is the address right?") from error
    with client:
        rest, waiting = iter(pieces), {}

        def hand_out(count: int) -> Iterator[Any]:
            for piece in islice(rest, count):
                future = client.submit(on_one_thread, function, piece, pure=False)
                waiting[future.key] = piece
                yield future

        # Dask itself gives the pieces of a lost worker to another one.
        results = as_completed(hand_out(AHEAD * max(8, sum(client.nthreads().values()))))
        try:
            for future in results:
                yield waiting.pop(future.key), future.result()
                results.update(hand_out(1))
        except KilledWorker as error:
            raise UnavailableError.worker() from error
