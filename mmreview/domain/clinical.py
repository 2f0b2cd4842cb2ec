"""The clinical values that are known by name: what they are called, their units and ranges.

A manifest's metadata may hold ``age``, ``sex``, ``temperature`` … as clinicians write them: numbers
as text, °F where the name or the value says so, ages as DICOM has them ("045Y"). ``read_values``
turns metadata into numbers in the units of ``QUANTITIES`` and names what it cannot believe.
Whatever has no name here stays metadata.

``QUANTITIES`` is the one place to add a value. Its order is the order on the screen and in the
features (``ml.encoders.clinical``), so features change, and versions are trained anew, with it.

Ranges of reference are those of adults, as textbooks give them; they mark and scale values and
diagnose nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from mmreview.domain.errors import Message
from mmreview.domain.reads import canonical_json

#: Objects in a row's metadata whose entries are read as if they stood beside them.
GROUPS = ("clinical", "vitals", "labs")

#: Written where nothing is known: no value, and no problem.
_NOTHING = frozenset(
    ("", "-", "–", "?", "na", "n/a", "n.a.", "nan", "nd", "none", "null", "unknown", "unk",
     "missing", "not done", "not available", "u", "o", "other")
)
_SEX = {
    "m": 1.0, "male": 1.0, "man": 1.0, "f": 0.0, "female": 0.0, "woman": 0.0, "w": 0.0,
    "男": 1.0, "女": 0.0,
}
#: From this age on the ranges of reference hold.
_ADULT = 18.0

_NUMBER = re.compile(r"[<>≤≥~]?\s*([+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?)\s*(.*)", re.DOTALL)
_PRESSURE = re.compile(r"(\d+(?:[.,]\d+)?)\s*/\s*(\d+(?:[.,]\d+)?)\s*(?:mm\s*hg)?", re.IGNORECASE)
_PRESSURE_NAMES = frozenset(("bp", "bloodpressure", "arterialpressure", "rrmmhg", "nibp"))


@dataclass(frozen=True, slots=True)
class Quantity:
    """One value by name. ``unit`` is the one it is kept and shown in.

    ``plausible`` are the numbers that are believed; ``reference`` what is usual in adults, None
    where there is no such thing. ``scale`` is (middle, half width) of what a model sees, on a
    logarithm where ``skewed``. ``aliases`` are other names, ``units`` other units as (factor,
    offset) to ``unit``; both are written as ``_plain`` makes them.
    """

    name: str
    unit: str
    plausible: tuple[float, float]
    reference: tuple[float, float] | None
    scale: tuple[float, float]
    aliases: tuple[str, ...] = ()
    units: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    skewed: bool = False
    decimals: int = 0


def _cells(name: str, reference: tuple[float, float], *aliases: str) -> Quantity:
    """A blood count in 10⁹/L; counts per µL are converted where they say so."""
    same = dict.fromkeys(("109l", "x109l", "10e9l", "gl", "kul", "k", "giga"), (1.0, 0.0))
    each = dict.fromkeys(("ul", "mm3", "cellsul", "perul"), (0.001, 0.0))
    return Quantity(
        name, "10⁹/L", (0.0, 3000.0 if name == "platelets" else 500.0), reference, reference,
        aliases, {**same, **each}, skewed=True, decimals=0 if name == "platelets" else 1,
    )


_MG_L = {"mgl": (1.0, 0.0), "mgdl": (10.0, 0.0)}
_NG_L = {"ngl": (1.0, 0.0), "pgml": (1.0, 0.0), "ngml": (1000.0, 0.0)}
_PER_MINUTE = dict.fromkeys(("min", "bpm", "permin", "1min", "breathsmin"), (1.0, 0.0))
_MMHG = {"mmhg": (1.0, 0.0)}

QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        "age", "y", (0.0, 120.0), None, (50.0, 25.0),
        ("patientage", "ageyears", "agey", "ageatstudy"),
        {"y": (1.0, 0.0), "yr": (1.0, 0.0), "yrs": (1.0, 0.0), "year": (1.0, 0.0),
         "years": (1.0, 0.0), "yearsold": (1.0, 0.0), "m": (1 / 12, 0.0), "months": (1 / 12, 0.0),
         "w": (7 / 365.25, 0.0), "weeks": (7 / 365.25, 0.0), "d": (1 / 365.25, 0.0),
         "days": (1 / 365.25, 0.0)},
    ),
    Quantity(
        "sex", "", (0.0, 1.0), None, (0.5, 0.5), ("gender", "patientsex", "patientgender")
    ),
    Quantity(
        "bmi", "kg/m²", (5.0, 120.0), (18.5, 25.0), (22.0, 6.0), ("bodymassindex",),
        {"kgm2": (1.0, 0.0)}, decimals=1,
    ),
    Quantity(
        "temperature", "°C", (25.0, 45.0), (36.0, 37.5), (36.8, 0.8),
        ("temp", "bodytemperature", "bodytemp", "temperaturecelsius", "tempcelsius"),
        {"c": (1.0, 0.0), "°c": (1.0, 0.0), "celsius": (1.0, 0.0), "degc": (1.0, 0.0),
         "f": (5 / 9, -160 / 9), "°f": (5 / 9, -160 / 9), "fahrenheit": (5 / 9, -160 / 9),
         "degf": (5 / 9, -160 / 9)},
        decimals=1,
    ),
    Quantity(
        "heart_rate", "/min", (10.0, 320.0), (60.0, 100.0), (80.0, 20.0),
        ("hr", "pulse", "pulserate", "heartrate"), _PER_MINUTE,
    ),
    Quantity(
        "respiratory_rate", "/min", (3.0, 100.0), (12.0, 20.0), (16.0, 5.0),
        ("rr", "resprate", "respiratoryrate", "respirationrate", "breathingrate"), _PER_MINUTE,
    ),
    Quantity(
        "systolic", "mmHg", (30.0, 320.0), (90.0, 140.0), (120.0, 25.0),
        ("sbp", "systolicbp", "systolicbloodpressure", "systolicpressure", "bpsystolic"), _MMHG,
    ),
    Quantity(
        "diastolic", "mmHg", (10.0, 220.0), (60.0, 90.0), (75.0, 15.0),
        ("dbp", "diastolicbp", "diastolicbloodpressure", "diastolicpressure", "bpdiastolic"),
        _MMHG,
    ),
    Quantity(
        "oxygen_saturation", "%", (20.0, 100.0), (95.0, 100.0), (97.0, 4.0),
        ("spo2", "sao2", "o2sat", "o2saturation", "oxygensat", "oxygensaturation", "saturation"),
        {"%": (1.0, 0.0), "percent": (1.0, 0.0), "pct": (1.0, 0.0)},
    ),
    _cells("leukocytes", (4.0, 11.0), "wbc", "leukocytecount", "leucocytes", "leucocytecount",
           "whitebloodcells", "whitecells", "whitebloodcellcount", "whitecellcount"),
    _cells("neutrophils", (1.8, 7.5), "neutrophilcount", "neut", "anc"),
    _cells("lymphocytes", (1.0, 4.0), "lymphocytecount", "lymph", "alc"),
    _cells("platelets", (150.0, 400.0), "plateletcount", "plt", "thrombocytes"),
    Quantity(
        "haemoglobin", "g/dL", (1.0, 28.0), (12.0, 17.5), (14.0, 3.0),
        ("hemoglobin", "hb", "hgb"),
        {"gdl": (1.0, 0.0), "gl": (0.1, 0.0), "mmoll": (1.611, 0.0)}, decimals=1,
    ),
    Quantity(
        "crp", "mg/L", (0.0, 1000.0), (0.0, 5.0), (0.0, 5.0),
        ("creactiveprotein", "hscrp"), _MG_L, skewed=True,
    ),
    Quantity(
        "procalcitonin", "µg/L", (0.0, 1000.0), (0.0, 0.5), (0.0, 0.5), ("pct",),
        {"ugl": (1.0, 0.0), "ngml": (1.0, 0.0)}, skewed=True, decimals=2,
    ),
    Quantity(
        "d_dimer", "mg/L", (0.0, 200.0), (0.0, 0.5), (0.0, 0.5), ("ddimer", "ddimers"),
        {"mgl": (1.0, 0.0), "ugml": (1.0, 0.0), "ngml": (0.001, 0.0), "ugl": (0.001, 0.0)},
        skewed=True, decimals=2,
    ),
    Quantity(
        "ldh", "U/L", (10.0, 20000.0), (120.0, 250.0), (120.0, 250.0),
        ("lactatedehydrogenase",), {"ul": (1.0, 0.0), "iul": (1.0, 0.0)}, skewed=True,
    ),
    Quantity(
        "creatinine", "µmol/L", (10.0, 3000.0), (45.0, 110.0), (45.0, 110.0),
        ("serumcreatinine",), {"umoll": (1.0, 0.0), "mgdl": (88.42, 0.0)}, skewed=True,
    ),
    Quantity(
        "lactate", "mmol/L", (0.0, 40.0), (0.5, 2.0), (0.5, 2.0), ("serumlactate",),
        {"mmoll": (1.0, 0.0), "mgdl": (0.111, 0.0)}, skewed=True, decimals=1,
    ),
    Quantity(
        "troponin", "ng/L", (0.0, 200000.0), (0.0, 14.0), (0.0, 14.0),
        ("hstroponin", "troponint", "troponini", "hstnt", "hstni"), _NG_L, skewed=True,
    ),
    Quantity(
        "nt_probnp", "ng/L", (0.0, 300000.0), (0.0, 125.0), (0.0, 125.0),
        ("ntprobnp", "probnp"), _NG_L, skewed=True,
    ),
)

NAMES: tuple[str, ...] = tuple(quantity.name for quantity in QUANTITIES)
_BY_NAME = {quantity.name: quantity for quantity in QUANTITIES}


def quantity_named(name: str) -> Quantity:
    """The quantity called ``name`` (KeyError)."""
    return _BY_NAME[name]


@dataclass(frozen=True, slots=True)
class ClinicalReading:
    """What metadata say: ``values`` by name in the order of ``QUANTITIES`` (sex: 1 male, 0 female)
    and ``problems``, message codes of what is not believed."""

    values: Mapping[str, float]
    problems: tuple[Message, ...] = ()


def read_values(metadata: Mapping[str, Any]) -> ClinicalReading:
    """Every clinical value in ``metadata``; of two names for one value the first counts."""
    found: dict[str, float] = {}
    problems: list[Message] = []
    for column, raw in _entries(metadata):
        known = _known(column)
        if known is None or _is_nothing(raw):
            continue
        name, unit = known
        try:
            read = _pressure(raw) if name == _BOTH else {name: _value(_BY_NAME[name], unit, raw)}
        except (ValueError, OverflowError):  # a whole number may be too long for a float
            problems.append(_problem("import.clinical_unreadable", column, raw))
            continue
        for each, value in read.items():
            low, high = _BY_NAME[each].plausible
            if not low <= value <= high:
                problems.append(
                    _problem(
                        "import.clinical_out_of_range", column, raw, lowest=f"{low:g}",
                        highest=f"{high:g}", unit=_BY_NAME[each].unit,
                    )
                )
            else:
                found.setdefault(each, value)
    return ClinicalReading({n: found[n] for n in NAMES if n in found}, tuple(problems))


def values_sha256(values: Mapping[str, float]) -> str:
    """The sha256 (hex) that stands for these values, whatever they were called."""
    return hashlib.sha256(canonical_json(dict(values)).encode()).hexdigest()


def deviation(values: Mapping[str, float], name: str) -> int:
    """-1 below the range of reference, 1 above it, 0 within, or where none holds (no such range;
    a child)."""
    reference = _BY_NAME[name].reference
    if reference is None or values.get("age", _ADULT) < _ADULT:
        return 0
    return (values[name] > reference[1]) - (values[name] < reference[0])


# --- reading ----------------------------------------------------------------------------------

_BOTH = "systolic/diastolic"


def _entries(metadata: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in metadata.items():
        if isinstance(value, Mapping):
            if name.casefold() in GROUPS:
                found += [(str(inner), each) for inner, each in value.items()]
        else:
            found.append((name, value))
    return found


def _plain(text: str) -> str:
    """Letters, digits, % and °, in lower case: how names and units are compared."""
    text = text.casefold().replace("μ", "u").replace("µ", "u").replace("⁹", "9").replace("³", "3")
    return re.sub(r"[^a-z0-9%°一-鿿]", "", text.replace("²", "2"))


@lru_cache(maxsize=4096)
def _known(column: str) -> tuple[str, str] | None:
    """The quantity that a column is named after, and the unit in its name (empty: its own)."""
    plain = _plain(column)
    if plain in _PRESSURE_NAMES:
        return _BOTH, ""
    return _COLUMNS.get(plain)


def _columns() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for quantity in QUANTITIES:
        for name in (_plain(quantity.name), *quantity.aliases):
            for unit in quantity.units:
                if unit.isalpha() and len(unit) == 1 and quantity.name != "temperature":
                    continue  # "aged" is no age in days
                found.setdefault(_plain(name + unit), (quantity.name, unit))
    for quantity in QUANTITIES:  # a whole name goes before a name with a unit
        for name in (_plain(quantity.name), *quantity.aliases):
            found[name] = (quantity.name, "")
    return found


_COLUMNS = _columns()


def _is_nothing(raw: Any) -> bool:
    return raw is None or (isinstance(raw, str) and raw.strip().casefold() in _NOTHING)


def _value(quantity: Quantity, unit: str, raw: Any) -> float:
    """A value in the quantity's unit. ``unit`` is the one that the name says; the value's own goes
    before it. Raises ValueError."""
    if quantity.name == "sex":
        word = raw.strip().casefold() if isinstance(raw, str) else None
        if word not in _SEX:
            raise ValueError
        return _SEX[word]
    if isinstance(raw, bool):
        raise ValueError
    if isinstance(raw, str):
        match = _NUMBER.fullmatch(raw.strip())
        if match is None:
            raise ValueError
        number, said = float(match[1].replace(",", ".")), _plain(match[2])
        if match[2] and said not in quantity.units:
            raise ValueError
        unit = said or unit
    elif isinstance(raw, int | float):
        number = float(raw)
    else:
        raise ValueError
    factor, offset = quantity.units[unit] if unit else (1.0, 0.0)
    return round(number * factor + offset, 6)


def _pressure(raw: Any) -> dict[str, float]:
    """Both values of "120/80"."""
    match = _PRESSURE.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if match is None:
        raise ValueError
    upper, lower = (float(part.replace(",", ".")) for part in match.groups())
    return {"systolic": upper, "diastolic": lower}


def _problem(code: str, column: str, raw: Any, **params: str) -> Message:
    return Message(code, {"column": column, "value": str(raw)[:80], **params})
