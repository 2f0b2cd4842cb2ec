"""The words and spellings of a report as numbers, beside what the network makes of its meaning.

Counts of words and pairs of words, and of three to five characters within a word, are added up in
a fixed number of columns: each goes to the column, and with the sign, that its hash says
(Weinberger 2009; scikit-learn's ``HashingVectorizer``). So there is no vocabulary: nothing is
learned from any report, a version holds no word of a patient's text, and the vector of a report
depends on that report alone and is cached like any other feature. A head weighs columns by the
square root of their deviation (``card.Weighing``), which does the work of the *idf* in TF-IDF.

On the real pairs (nested patient-grouped folds) the text head went from .877 / .564 / .650 / .924
(diagnoses, severity by zones, outcomes, ultrasound; 2 seeds) to .903 / .613 / .733 / .962
(10 seeds). TF-IDF over a vocabulary of 12,000 terms, in a head of its own beside the embedding's,
gave .891 / .613 / .690 / .955 (2 seeds). Which terms meet in a column is luck: another hash (the
same reports read backwards) gave .877 / .630 / .744 / .960, half as many columns
.886 / .611 / .712 / .971 and backwards .883 / .596 / .693 / .961. All that with columns
standardised, which gives a rare term too much; damped by half .902 / .612 / .731 / .972 (10 seeds),
by a quarter .903 / .613 / .734 / .967, by three quarters .900 / .610 / .726 / .975. Embedding,
words and spellings as three blocks: no gain.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

from mmreview.ml.encoders.registry import NGRAM_COLUMNS

_WORDS, _SPELLINGS = (
    HashingVectorizer(
        analyzer=analyzer, ngram_range=lengths, n_features=NGRAM_COLUMNS, norm=None
    )
    for analyzer, lengths in (("word", (1, 2)), ("char_wb", (3, 5)))
)


def ngram_vector(report: str) -> NDArray[np.float32]:
    """(2 · NGRAM_COLUMNS,): words, then spellings. Either half holds logarithms of counts, scaled
    to length 1; zeros where a report has none."""
    halves = []
    for counter in (_WORDS, _SPELLINGS):
        counts = counter.transform([report]).toarray()[0]
        damped = np.sign(counts) * np.log1p(np.abs(counts))
        halves.append(damped / max(float(np.linalg.norm(damped)), 1e-12))
    return np.concatenate(halves).astype(np.float32)
