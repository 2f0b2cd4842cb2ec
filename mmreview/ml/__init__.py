"""The model room: encoders, cached features, fusion, training. No Qt, no SQL.

``features`` turns cases into cached vectors, ``trainer`` fits a version on them, ``predictor``
answers from one. Importing a module of this room imports no torch; its first work does.
"""

import os

# Read by OpenMP when torch is loaded, so it stands here. By default its threads spin while they
# wait for each other; on a machine whose cores are shared (window, encoding and fine-tuning at
# once, two cores) that burns the very time that the awaited thread needs: at a load of 3 a core
# encoding took 4 to 10 times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
