"""The clinician's words: cases, findings, reads, predictions, versions. Standard library only."""
