"""How the process handles memory: it returns what is freed to the system, instead of growing with every visitor.

glibc keeps freed memory in an arena for each thread. Gradio uses many threads, and each computes maps of tens of MB now
and then. Under a crowd, 570 MB lay free but unreturned (measured, `benchmarks.load`).
"""

import ctypes
import time
from functools import cache
from threading import Thread

# glibc's names and numbers, from malloc.h. Setting the thresholds also keeps glibc from raising them on its own.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
SETTINGS = {M_ARENA_MAX: 1, M_TRIM_THRESHOLD: 20_000_000, M_MMAP_THRESHOLD: 32_000_000}  # bytes
RETURNED_SECONDS = 5  # between two returns, each some 20 ms


@cache
def return_what_is_free() -> None:
    """From now on, share one arena and return its free memory every few seconds; without glibc, do nothing."""
    try:
        glibc = ctypes.CDLL(None)
        mallopt, malloc_trim = glibc.mallopt, glibc.malloc_trim
    except (OSError, TypeError, AttributeError):  # Windows, macOS, musl
        return
    for name, value in SETTINGS.items():
        mallopt(name, value)

    def run() -> None:
        while True:
            time.sleep(RETURNED_SECONDS)
            malloc_trim(0)

    Thread(target=run, name="cnnvis-memory", daemon=True).start()
