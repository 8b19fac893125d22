"""Work on datasets that takes its time: scoring their rows, trying policies on them."""
