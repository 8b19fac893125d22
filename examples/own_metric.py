"""A metric of your own, and a policy that names it. Run it: python examples/own_metric.py"""

from pathlib import Path

import guard


@guard.metric
def shouting(text: str) -> float:
    """Which part of a text's letters are capitals, 0..1."""
    letters = [character for character in text if character.isalpha()]
    return sum(map(str.isupper, letters)) / max(len(letters), 1)


# After the metric: a policy that names one that does not exist is refused.
@guard.protect(policy=Path(__file__).parent / "policies" / "calm.yaml")
def chat(question: str) -> str:
    return "It is on its way."


if __name__ == "__main__":
    for asked in ("Where is my order?", "WHERE IS MY ORDER?"):
        print(f"{asked}\n    {chat(asked)}")
