"""The command line as tests drive it: in this process, or the program that MMREVIEW_PROGRAM names.

The end-to-end tests say what the commands do; the packaged program must do the same. Pointed at it,

    MMREVIEW_PROGRAM=/opt/mmreview/mmreview python -m pytest tests/e2e

starts a process for every command, with the settings and folders that the test gave this one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmreview.cli import cli

#: The program under test, empty for the sources.
PROGRAM = os.environ.get("MMREVIEW_PROGRAM", "")

#: What starts the command line in a process of its own.
COMMAND = [PROGRAM] if PROGRAM else [sys.executable, "-m", "mmreview"]

_ROOT = Path(__file__).parents[1]

sources_only = pytest.mark.skipif(
    bool(PROGRAM), reason="reaches into the program while it runs, which a packaged one forbids"
)


def run(*words):
    """(exit code, stdout, stderr) of one command."""
    said = [str(word) for word in words]
    if PROGRAM:
        done = subprocess.run(
            [PROGRAM, *said], capture_output=True, text=True, encoding="utf-8", check=False
        )
        code, out, err = done.returncode, done.stdout, done.stderr
    else:
        found = CliRunner().invoke(cli, said)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        code, out, err = found.exit_code, found.stdout, found.stderr
    assert "Traceback" not in out + err
    return code, out, err


def said(*words, code=0):
    """The JSON that a command printed, having ended with ``code``."""
    ended, out, err = run(*words, "--json")
    assert ended == code, err
    return json.loads(out)


def refused(*words):
    """The error of a command that was refused: its code and its sentence."""
    return said(*words, code=2)["error"]
