"""The model room: encoders, cached features, fusion, training. No Qt, no SQL.

``features`` turns cases into cached vectors, ``trainer`` fits a version on them, ``predictor``
answers from one. Importing a module of this room imports no torch; its first work does.
"""

import os
import tempfile

# Read by OpenMP when torch is loaded, so it stands here. By default its threads spin while they
# wait for each other; on a machine whose cores are shared (window, encoding and fine-tuning at
# once, two cores) that burns the very time that the awaited thread needs: at a load of 3 a core
# encoding took 4 to 10 times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Read when timm or transformers import huggingface_hub, whichever is first: no network, and nothing
# is told to anybody.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

# torch makes this folder when it is imported, one for each user. Nothing here is compiled, so a
# folder that is there already does.
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", tempfile.gettempdir())
