"""Sentences for message codes, in the language a person chose.

The catalogue is every ``resources/translations/LANG/*.json`` ({code: sentence with {params}}).
English fills what a language lacks; a code without any sentence is shown as itself, so that a
missing translation is seen and never a crash. ``ui`` and ``cli`` call ``tr``; rooms below only
name codes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mmreview import paths

_language = "en"


def set_language(language: str) -> None:
    """Choose the language of every later ``tr`` (``en``, ``zh_CN``)."""
    global _language
    _language = language if language in languages() else "en"


def language() -> str:
    """The chosen language."""
    return _language


def languages() -> tuple[str, ...]:
    """The languages that there are sentences for."""
    folder = paths.resources() / "translations"
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir()))


@lru_cache(maxsize=4)
def catalogue(language: str) -> Mapping[str, str]:
    """Every sentence of one language."""
    sentences: dict[str, str] = {}
    for path in sorted((paths.resources() / "translations" / language).glob("*.json")):
        sentences.update(json.loads(path.read_text(encoding="utf-8")))
    return sentences


def tr(code: str, /, **params: Any) -> str:
    """The sentence for ``code``. With ``count`` = 1 the sentence ``code.one`` is preferred."""
    forms = (f"{code}.one", code) if params.get("count") == 1 else (code,)
    for known in (catalogue(_language), catalogue("en")):
        for form in forms:
            if form in known:
                return _filled(known[form], params)
    return code


def _filled(sentence: str, params: Mapping[str, Any]) -> str:
    try:
        return sentence.format(**params)
    except (LookupError, ValueError, TypeError, AttributeError):  # a parameter that does not fit
        return sentence
