"""Building the installers; never part of the program that they install.

``python -m mmreview.installer`` runs PyInstaller with ``build_installer.spec`` and packs the folder
that it makes. Nothing else of mmreview imports this room, and the frozen program leaves it out.
"""
