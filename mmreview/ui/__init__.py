"""The window: Qt only; fed by services through ``services.desk.Desk``, long work by ``tasks``."""
