"""Other products' clients at central: adapters over its records and the one engine. No rule is evaluated here."""
