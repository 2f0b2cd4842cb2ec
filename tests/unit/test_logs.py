import logging
import logging.handlers

from mmreview import logs


def test_a_caught_crash_is_logged_without_its_message(tmp_path, capsys):
    path = logs.start(tmp_path)
    try:
        secret = "Patient Miller has an effusion"
        try:
            raise ValueError(secret)
        except ValueError as error:
            logs._crashed(ValueError, error, error.__traceback__)
        logging.getLogger("mmreview.store").info("opened")
    finally:
        logs.stop()
    text = path.read_text()
    assert "ValueError at test_logs.py" in text
    assert "opened" in text
    assert secret not in text
    assert secret in capsys.readouterr().err  # the terminal of the person at it


def test_logging_where_nothing_can_be_written_is_no_reason_to_stop(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    try:
        assert logs.start(blocked) is None
    finally:
        logs.stop()


def test_logs_rotate_and_three_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "_BYTES", 2_000)
    path = logs.start(tmp_path)
    try:
        for number in range(200):
            logging.getLogger("mmreview.test").info("line %d of a long day", number)
    finally:
        logs.stop()
    assert {p.name for p in tmp_path.iterdir()} == {
        "mmreview.log", "mmreview.log.1", "mmreview.log.2"
    }
    assert all(p.stat().st_size <= 2_000 for p in tmp_path.iterdir())
    assert "line 199" in path.read_text()


def test_a_log_that_another_program_holds_is_gone_on_in(tmp_path, monkeypatch, capsys):
    """On Windows a file that is open elsewhere cannot be renamed."""
    monkeypatch.setattr(logs, "_BYTES", 2_000)
    path = logs.start(tmp_path)

    def refuse(self, source, target):
        raise PermissionError(13, "in use")

    monkeypatch.setattr(logging.handlers.RotatingFileHandler, "rotate", refuse)
    try:
        for number in range(100):
            logging.getLogger("mmreview.test").info("line %d of a long day", number)
    finally:
        logs.stop()
    assert [f"line {n} " in path.read_text() for n in range(100)] == [True] * 100
    assert "Traceback" not in capsys.readouterr().err
