"""Galileo's clients (`galileo`, `galileo-protect`) at central: their stages are central's, and its engine decides."""
