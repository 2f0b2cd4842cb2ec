"""The account of what a folder weighs: nothing is dropped or kept without its reason."""

from mmreview.installer import inventory


def folder(tmp_path):
    sizes = {
        "mmreview": 10, "_internal/torch/lib/libtorch_cpu.so": 2_000_000,
        "_internal/torch/lib/libtorch_cuda.so": 3_000_000,
        "_internal/nvidia/cudnn/lib/libcudnn_cnn.so.9": 1_000_000,
        "_internal/PySide6/Qt/lib/libQt6Core.so.6": 1_500_000, "_internal/small": 7,
    }
    for name, size in sizes.items():
        path = tmp_path / "mmreview" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    link = tmp_path / "mmreview" / "_internal" / "libQt6Core.so.6"
    link.symlink_to("PySide6/Qt/lib/libQt6Core.so.6")
    return tmp_path / "mmreview"


def test_the_cpu_flavour_is_the_folder_without_cudas_files(tmp_path):
    total, cuda = inventory.sizes(folder(tmp_path))
    assert (total, cuda) == (7_500_017, 4_000_000)  # a link weighs nothing


def test_what_is_not_cudas_is_counted_by_package(tmp_path):
    counted = dict(inventory.by_package(folder(tmp_path)))
    assert counted == {
        "torch": 2_000_000, "PySide6": 1_500_000, "everything smaller than 1 MB": 17,
    }


def test_dropped_files_are_accounted_for_by_reason(tmp_path):
    header = tmp_path / "ATen.h"
    header.write_bytes(bytes(100))
    kept = ("torch/lib/libtorch_cpu.so", str(tmp_path / "libtorch_cpu.so"), "BINARY")
    dropped = inventory.Dropped()
    entries = [("torch/include/ATen.h", str(header), "DATA"), kept]
    assert dropped.filter(entries) == [kept]
    assert dict(dropped.by_reason) == {"headers for C++": 100}


def test_a_link_to_what_is_left_out_is_left_out_too(tmp_path):
    link = ("libcudnn_adv.so.9", "nvidia/cudnn/lib/libcudnn_adv.so.9", "SYMLINK")
    assert inventory.Dropped().filter([link]) == []


def test_the_report_names_who_needs_each_cuda_library(tmp_path, monkeypatch):
    monkeypatch.setattr(inventory, "_needed_by", lambda libraries, wanted: {})
    said = inventory.report(folder(tmp_path), inventory.Dropped(), flavour="cuda")
    assert "nvidia/cudnn/lib/libcudnn_cnn.so.9  (opened by libcudnn: convolutions" in said
    assert "torch/lib/libtorch_cuda.so  (opened by torch)" in said
    assert "with a CPU build of torch it would weigh 4 MB" in said
