"""How the models that Guard ships are made, and how others are made the same way."""
