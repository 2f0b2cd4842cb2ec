"""Frozen encoders: one for each modality, named in ``registry``, run in batches by ``batching``."""
