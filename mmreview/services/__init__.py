"""Use cases, synchronous and free of Qt, torch and SQL; long work is a generator of progress."""
