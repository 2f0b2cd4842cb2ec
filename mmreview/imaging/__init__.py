"""Pixels: guarded decoding, window and level, thumbnails. numpy and Pillow only, no Qt."""
