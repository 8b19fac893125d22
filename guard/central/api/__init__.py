"""Central's routes, one file for each noun."""
