"""Uploaded code as metrics: kept, built into environments, and run behind walls."""
