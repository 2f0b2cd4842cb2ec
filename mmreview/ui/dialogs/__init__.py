"""The dialogs, one module each. None blocks the event loop: opened, they tell by signals."""
