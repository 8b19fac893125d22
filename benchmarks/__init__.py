"""What Guard costs: CPU per request and ratios, all taken in one run on one machine."""
