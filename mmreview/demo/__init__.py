"""A synthetic cohort: drawn radiographs and written reports with known truth, marked SYNTHETIC.

The flow: ``cohort`` plans cases (truth first), ``anatomy`` and ``lesions`` say what the body looks
like, ``radiographs`` draws it, ``narratives`` writes the report, ``cohort`` writes the manifest.
"""
