import logging

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
