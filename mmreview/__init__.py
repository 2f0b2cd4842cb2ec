"""mmreview: a desktop workstation for reviewing cases of images and reports with a fused model.

Only the name and the version live here, so that importing the package costs nothing.
"""

__version__ = "0.1.0"
