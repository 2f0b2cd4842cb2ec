"""The pages of the Model dialog: measures, what was tried, calibration, the fusions."""
