"""Where shelves and atlases are made: in this process, on several processes of one thread each, or on a Dask cluster.

Work is a list of independent pieces: plain values in, plain values out, and a piece may be done twice. Results come
back in any order, a few at a time, so a million pieces need no more memory than ten.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import current_process, get_context, parent_process
from multiprocessing.synchronize import Event
from threading import Thread
from typing import Any, TypeVar

import torch

from cnnvis.checks import whole_between
from cnnvis.errors import SettingError, UnavailableError

Piece = TypeVar("Piece")
Result = TypeVar("Result")
MAX_WORKERS = 256
GUARD = "the workers could not start: write the script to a file, and the call under `if __name__ == '__main__':`."
PIECES_PER_WORKER = 2  # handed out at once, so that no worker waits


def run(
    function: Callable[[Piece], Result], pieces: Iterable[Piece], workers: int = 0, scheduler: str | None = None
) -> Iterator[tuple[Piece, Result]]:
    """Do all pieces and yield each with its result.

    `workers` is the number of processes; 0 means this one, with all its threads. `scheduler` is the address of a Dask
    cluster, tcp://HOST:PORT, whose workers need cnnvis and the same files under the same paths.
    Raises SettingError at once, UnavailableError if a worker or the cluster is lost.
    """
    workers = check_where(workers, scheduler)
    if scheduler:
        return _on_cluster(function, pieces, scheduler)
    if workers:
        return _on_processes(function, pieces, workers)
    return ((piece, function(piece)) for piece in pieces)


def check_where(workers: object, scheduler: str | None) -> int:
    """Check where work is to run, and return the number of processes. Raises SettingError."""
    count = whole_between("workers", workers, 0, MAX_WORKERS)
    if scheduler and count:
        raise SettingError("workers and scheduler cannot be combined: a cluster has its own workers.")
    if getattr(current_process(), "_inheriting", False):  # a worker that is only starting runs the caller's script
        raise SettingError(GUARD)
    return count


def on_one_thread(function: Callable[[Piece], Result], piece: Piece) -> Result:
    """Do a piece on one thread: processes share the cores, and results depend on the number of threads."""
    torch.set_num_threads(1)
    return function(piece)


def _begin(begun: Event) -> None:
    """Say that a worker has started, and end it if the process that started it is killed: it would wait forever."""
    begun.set()
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
    context = get_context("spawn")  # not forked: a fork would inherit PyTorch's threads without their locks
    begun = context.Event()
    with ProcessPoolExecutor(workers, context, _begin, (begun,)) as pool:
        waiting: dict[Future[Result], Piece] = {}

        def hand_out(count: int) -> None:
            for piece in islice(rest, count):
                waiting[pool.submit(on_one_thread, function, piece)] = piece

        hand_out(PIECES_PER_WORKER * workers)
        try:
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield waiting.pop(future), future.result()
                    hand_out(1)
        except BrokenProcessPool as error:
            raise (UnavailableError.worker() if begun.is_set() else SettingError(GUARD)) from error
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
        raise UnavailableError(f"no Dask scheduler responds at {scheduler}: check the address.") from error
    with client:
        rest, waiting = iter(pieces), {}

        def hand_out(count: int) -> Iterator[Any]:
            for piece in islice(rest, count):
                future = client.submit(on_one_thread, function, piece, pure=False)
                waiting[future.key] = piece
                yield future

        # Dask itself hands a lost worker's pieces to another.
        results = as_completed(hand_out(PIECES_PER_WORKER * max(8, sum(client.nthreads().values()))))
        try:
            for future in results:
                yield waiting.pop(future.key), future.result()
                results.update(hand_out(1))
        except KilledWorker as error:
            raise UnavailableError.worker() from error
