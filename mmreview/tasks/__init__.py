"""Work off the UI thread: lanes, progress, cancel, shutdown, and an inline twin. QtCore only."""
