"""Made-up clinical values of the synthetic patients: they know something of what is ill, not all.

Fever and inflammation go with consolidation, low saturation and fast breathing with whatever takes
lung away, NT-proBNP with a failing heart. Some cases have none, and laboratory values are there for
about half: missing values are normal. Drawn from a source of chance of their own, so that pictures
and reports do not depend on them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmreview.demo.lesions import (
    CARDIOMEGALY,
    CONSOLIDATION,
    EDEMA,
    EFFUSION,
    PNEUMOTHORAX,
)

WITHOUT_VITALS = 0.2
WITHOUT_LABS = 0.45


def clinical_values(severity: Mapping[str, float], rng: np.random.Generator) -> dict[str, float]:
    """Values by name in the units of ``domain.clinical``. ``severity`` (0 to 1) is of the findings
    that are there."""
    lung = severity.get(CONSOLIDATION, 0.0), severity.get(EDEMA, 0.0), severity.get(EFFUSION, 0.0)
    infection, congestion, effusion = lung
    air = severity.get(PNEUMOTHORAX, 0.0)
    heart = severity.get(CARDIOMEGALY, 0.0) + 1.5 * congestion
    burden = infection + 1.2 * congestion + 0.6 * effusion + 1.2 * air
    noise = rng.normal(size=8)
    vitals, labs = rng.random() >= WITHOUT_VITALS, rng.random() >= WITHOUT_LABS
    found: dict[str, float] = {}
    if vitals:
        found |= {
            "temperature": round(float(36.9 + 1.5 * infection + 0.3 * np.tanh(noise[0])), 1),
            "heart_rate": round(float(np.clip(78 + 14 * burden + 10 * noise[1], 45, 170))),
            "respiratory_rate": round(float(np.clip(15 + 5 * burden + 2 * noise[2], 9, 44))),
            "oxygen_saturation": round(float(np.clip(97 - 4.5 * burden - abs(noise[3]), 70, 100))),
            "systolic": round(float(np.clip(132 - 8 * burden + 16 * noise[4], 80, 210))),
        }
    if labs:
        found |= {
            "leukocytes": round(float(np.clip(7.5 + 6 * infection + 2 * noise[5], 2, 30)), 1),
            "crp": round(float(np.exp(1.6 + 3.2 * infection + 0.4 * effusion + 0.6 * noise[6])), 1),
            "nt_probnp": round(float(np.exp(4.6 + 1.6 * heart + 0.5 * noise[7]))),
        }
    return found
