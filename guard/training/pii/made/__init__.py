"""Made-up values for the slots of the written templates: one module for each field, `VALUES` in each."""
