"""A chat function behind a policy. Run it: python examples/plain_script.py"""

from pathlib import Path

import guard


@guard.protect(policy=Path(__file__).parent / "policies" / "support.yaml")
def chat(question: str) -> str:
    print(f"    the model reads: {question}")
    return f"Let me look into it. You wrote: {question}"  # here you call your model


if __name__ == "__main__":
    for asked in ("Where is ORD-12345678?", "Is Acme cheaper?", "When does Project Falcon start?"):
        print(asked)
        print(f"    the customer reads: {chat(asked)}")
