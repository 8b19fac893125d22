"""The data plane: an OpenAI-compatible endpoint that checks what goes in and what comes out."""
