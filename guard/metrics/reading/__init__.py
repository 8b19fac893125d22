"""Reading a passage as it means: what is hidden, disguised or encoded in it, each with the way back to the original."""
