"""A user's own head on the frozen encoder: rows in, a small file and a card out."""
