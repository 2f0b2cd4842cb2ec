"""Where tensors live: the processor or a CUDA card, how many threads, how much fits at once.

Nothing here imports torch before it is asked about a device. ``features`` chooses a device when
the first encoder is loaded; the window calls ``leave_core_for_window`` before that.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmreview.domain.errors import MmreviewError

AUTO, CPU, CUDA = "auto", "cpu", "cuda"

#: Overrides the number of threads that one computation may use.
THREADS_VARIABLE = "MMREVIEW_THREADS"

#: A batch may take this share of the memory that is free on a card.
_CARD_SHARE = 0.5
_LARGEST_BATCH = 256

_lock = threading.Lock()
_all_joined = threading.Condition(_lock)
_spare_cores = 0
_applied = 0
#: How many callers are in ``split_over_threads`` with a limit, and what the last of them puts back.
_splitting = 0
_limit: Any = None
#: How many rounds of training run.
_rounds = 0


class DeviceUnavailable(MmreviewError):
    """The device ``device`` that was asked for is not there."""

    code = "error.device_unavailable"


def choose(device: str = AUTO) -> str:
    """The device to compute on: ``cpu`` or ``cuda``. Imports torch and sets its threads.

    Raises:
        DeviceUnavailable: ``device`` is no known device, or CUDA was asked for and is not there.
    """
    if device not in (AUTO, CPU, CUDA):
        raise DeviceUnavailable(device=device)
    import torch

    _apply_threads()
    if device == CPU:
        return CPU
    if torch.cuda.is_available():
        return CUDA
    if device == CUDA:
        raise DeviceUnavailable(device=device)
    return CPU


def leave_core_for_window() -> None:
    """From the next computation on leave one core to the thread that draws."""
    global _spare_cores
    _spare_cores = 1


def thread_count() -> int:
    """How many threads one computation may use: ``MMREVIEW_THREADS``, else every core this
    process may run on, less the one left to the window."""
    wish = os.environ.get(THREADS_VARIABLE, "")
    if wish.isdigit() and int(wish) > 0:
        return int(wish)
    return max(1, cores() - _spare_cores)


def cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def product_threads() -> int:
    """Over how many threads numpy shares a matrix product now: its last bits go by that."""
    from threadpoolctl import threadpool_info

    return max((int(p["num_threads"]) for p in threadpool_info() if p["user_api"] == "blas"),
               default=1)


def _apply_threads() -> None:
    global _applied
    import torch

    count = thread_count()
    with _lock:
        if _applied != count:
            torch.set_num_threads(count)
            _applied = count


@contextmanager
def split_over_threads() -> Iterator[ThreadPoolExecutor]:
    """A pool of ``thread_count`` threads, in each of which numpy's matrix products take one.

    Several small products side by side are quicker than one after the other, each over all cores:
    its threads wait for each other, and on a machine that has other work they wait long. Beside a
    round of training the products stay as they are (``steady_products``).
    """
    global _splitting, _limit
    with _lock:
        limited = not _rounds
        if limited:
            if not _splitting:
                from threadpoolctl import threadpool_limits

                _limit = threadpool_limits(limits=1, user_api="blas")
            _splitting += 1
    try:
        with ThreadPoolExecutor(thread_count(), thread_name_prefix="block") as pool:
            yield pool
    finally:
        with _lock:
            if limited:
                _splitting -= 1
                if not _splitting:
                    _limit.restore_original_limits()
                    _all_joined.notify_all()


@contextmanager
def steady_products() -> Iterator[None]:
    """A round of training: nobody changes meanwhile over how many threads a matrix product is
    shared, since its last bits go by that, and the same snapshot must give the same bytes. Waits
    for the block of scoring that is under way, some hundredths of a second. They too leave the
    window its core: of two, one was a tenth quicker, since threads that draw and threads that
    multiply waited for each other (2.3 against 2.5 s for 10,577 labelled cases).
    """
    global _rounds
    with _lock:
        _rounds += 1
        while _splitting:
            _all_joined.wait()
    if product_threads() > thread_count():
        from threadpoolctl import threadpool_limits

        threadpool_limits(limits=thread_count(), user_api="blas")
    try:
        yield
    finally:
        with _lock:
            _rounds -= 1


def batch_size(device: str, *, bytes_per_item: int, on_cpu: int) -> int:
    """How many items to encode at once: ``on_cpu``, or what half the card's free memory holds."""
    if device != CUDA:
        return on_cpu
    import torch

    free, _ = torch.cuda.mem_get_info()
    fits = max(1, int(free * _CARD_SHARE / bytes_per_item))
    return min(_LARGEST_BATCH, 1 << (fits.bit_length() - 1))


def is_out_of_memory(error: BaseException) -> bool:
    """True for every way in which Python, torch or CUDA say that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in words or "can't allocate memory" in words
    )


def release_memory() -> None:
    """Give what torch keeps for reuse back to the card."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def describe(device: str = AUTO) -> dict[str, Any]:
    """The device in words and numbers: ``device`` (its name), ``device_kind`` (cpu or cuda),
    ``memory_gb``, ``threads``, ``torch``. Imports torch."""
    import torch

    kind = choose(device)
    if kind == CUDA:
        properties = torch.cuda.get_device_properties(0)
        name, memory = properties.name, properties.total_memory
    else:
        name, memory = _processor_name(), main_memory()
    return {
        "device": name,
        "device_kind": kind,
        "memory_gb": round(memory / 1024**3, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "CPU"


def main_memory() -> int:
    """Bytes of main memory, 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
