"""Building the installers; never part of the program that they install.

``build_installer.spec`` at the top of the tree reads ``contents`` (what goes in, what stays out and
why), ``notices`` (whose work it is, under which licence) and ``inventory`` (what it weighs).
``python -m mmreview.installer`` runs PyInstaller with it and packs the folder that it makes.
Nothing else of mmreview imports this room, and the frozen program leaves it out.
"""
