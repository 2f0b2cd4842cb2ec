"""The model room: encoders, cached features, fusion, training. No Qt, no SQL.

``features`` turns cases into cached vectors, ``trainer`` fits a version on them, ``predictor``
answers from one. Importing a module of this room imports no torch; its first work does.
"""
