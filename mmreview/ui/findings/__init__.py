"""The findings panel: one row a finding, what the model believes of it and what a reader says."""
