"""The entry of a frozen program: no streams on Windows, a loader's variable on Linux."""

import os
import sys

from mmreview import __main__ as entry


def test_a_program_without_streams_prints_to_nobody(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    entry._give_streams()
    streams = (sys.stdout, sys.stderr)
    print("said")
    print("said", file=sys.stderr)
    assert not sys.stderr.isatty()
    for stream in streams:
        stream.close()


def test_other_programs_do_not_inherit_our_libraries(monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", "ours")
    entry._free_children()
    assert os.environ["LD_LIBRARY_PATH"] == "ours"  # not frozen: it is this user's
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", "theirs")
    entry._free_children()
    assert os.environ["LD_LIBRARY_PATH"] == "theirs"
    assert "LD_LIBRARY_PATH_ORIG" not in os.environ
    entry._free_children()
    assert "LD_LIBRARY_PATH" not in os.environ
