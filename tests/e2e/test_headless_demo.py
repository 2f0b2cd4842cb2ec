"""README's first command on a machine without a display: the whole main job, and a picture."""

import json
import os
import subprocess

from tests.program import COMMAND


def run(*words, home):
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")},
        "HOME": str(home),
        "QT_QPA_PLATFORM": "",
    }
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True, text=True, env=environment, check=False, timeout=280,
    )


def test_the_demo_without_a_display_does_the_whole_job(tmp_path):
    done = run("demo", str(tmp_path / "mine"), "--cases", "40", "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["headless"] == "no display"
    assert found["cases"] == 40
    assert found["corrections"] > 20
    assert found["version_before"] == 1
    assert found["version"] == 2
    assert (tmp_path / "mine.mmreview" / "window.png").stat().st_size > 20_000
    verified = run("verify", str(tmp_path / "mine"), "--json", home=tmp_path)
    assert json.loads(verified.stdout)["ok"] is True
