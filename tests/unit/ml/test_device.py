"""The device: threads, batch sizes, and every way of running out of memory."""

import threading

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from mmreview.ml import device


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    monkeypatch.setattr(device, "_spare_cores", 0)


def test_the_window_keeps_a_core(monkeypatch):
    monkeypatch.delenv(device.THREADS_VARIABLE, raising=False)
    monkeypatch.setattr(device, "cores", lambda: 8)
    assert device.thread_count() == 8
    device.leave_core_for_window()
    assert device.thread_count() == 7


def test_one_core_is_enough(monkeypatch):
    monkeypatch.delenv(device.THREADS_VARIABLE, raising=False)
    monkeypatch.setattr(device, "cores", lambda: 1)
    device.leave_core_for_window()
    assert device.thread_count() == 1


@pytest.mark.parametrize(("wish", "threads"), [("3", 3), ("0", 8), ("many", 8), ("", 8)])
def test_the_environment_may_name_the_threads(monkeypatch, wish, threads):
    monkeypatch.setenv(device.THREADS_VARIABLE, wish)
    monkeypatch.setattr(device, "cores", lambda: 8)
    assert device.thread_count() == threads


def products_over():
    """Over how many threads matrix products are shared."""
    return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}


def test_scoring_takes_one_thread_a_product_and_a_round_s_products_stay_as_they_are():
    with threadpool_limits(2, user_api="blas"):
        with device.split_over_threads():
            assert products_over() == {1}
            with device.split_over_threads():
                assert products_over() == {1}
            assert products_over() == {1}
        assert products_over() == {2}
        with device.steady_products(), device.split_over_threads() as threads:
            assert products_over() == {2}
            assert list(threads.map(abs, [-1])) == [1]
        with device.split_over_threads():
            assert products_over() == {1}


def test_a_round_waits_until_scoring_has_put_the_threads_back():
    seen = []

    def train():
        with device.steady_products():
            seen.append(products_over())

    with threadpool_limits(2, user_api="blas"):
        with device.split_over_threads():
            begun = threading.Thread(target=train)
            begun.start()
            begun.join(0.05)
            assert not seen
        begun.join(10)
        assert seen == [{2}]


def test_a_device_that_is_none_is_refused():
    with pytest.raises(device.DeviceUnavailable) as caught:
        device.choose("abacus")
    assert caught.value.params == {"device": "abacus"}


def test_cuda_is_refused_where_there_is_none():
    import torch

    if torch.cuda.is_available():
        assert device.choose() == device.CUDA
        return
    assert device.choose() == device.CPU
    with pytest.raises(device.DeviceUnavailable):
        device.choose(device.CUDA)


def test_what_memory_errors_say():
    import torch

    assert device.is_out_of_memory(MemoryError())
    assert device.is_out_of_memory(torch.cuda.OutOfMemoryError("CUDA out of memory. Tried …"))
    assert device.is_out_of_memory(
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …")
    )
    assert not device.is_out_of_memory(RuntimeError("shape mismatch"))
    assert not device.is_out_of_memory(ValueError("out of memory"))


def test_the_description_names_the_device():
    found = device.describe("cpu")
    assert found["device"]
    assert found["device_kind"] == "cpu"
    assert found["threads"] >= 1
    assert found["memory_gb"] >= 0


def test_a_round_leaves_the_window_its_core_in_matrix_products_too(monkeypatch):
    monkeypatch.delenv(device.THREADS_VARIABLE, raising=False)
    monkeypatch.setattr(device, "cores", lambda: 2)
    with threadpool_limits(2, user_api="blas"):
        with device.steady_products():
            assert products_over() == {2}  # no window: every core
        device.leave_core_for_window()
        with device.steady_products():
            assert products_over() == {1}
