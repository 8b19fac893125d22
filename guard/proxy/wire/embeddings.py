"""OpenAI's embeddings on the wire: texts in, numbers out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NoReturn

from guard.errors import BadRequest, Filtered, UpstreamError
from guard.metrics import Turn
from guard.metrics.turn import Message
from guard.proxy.wire import openai
from guard.proxy.wire.fields import unknown
from guard.proxy.wire.leaves import Body
from guard.stages.redact import Placeholders


class Embeddings:
    """Embeddings: the input is what a user says; of the answer nothing is text."""

    route = "/v1/embeddings"
    path = "embeddings"

    labels = staticmethod(openai.labels)
    error = staticmethod(openai.error)

    def validate(self, body: Body, max_messages: int) -> None:
        """Refuse a body whose shape is not understood."""
        openai.validate_model(body)
        openai.validate_texts(body, "input", max_messages)
        for field in ("messages", "stream"):
            if body.get(field):
                raise BadRequest(f"'{field}' is not understood in embeddings; leave it out", param=field)

    def streams(self, body: Body) -> bool:
        """Never."""
        return False

    def without_refused(self, body: Body, replies: Collection[str]) -> Body:
        """The body itself: there are no earlier turns."""
        return body

    def read_request(self, body: Body, labels: Mapping[str, str]) -> Turn:
        """The texts as one message of a user's."""
        return Turn((Message("user", openai.texts_of(body, "input")),), labels=labels)

    def unread(self, body: Body) -> Mapping[str, int]:
        """How many fields are not known. What is no text is refused."""
        return Counter(unknown(body, "input"))

    def unread_answer(self, answer: Body) -> Mapping[str, int]:
        """None: vectors are what was asked for."""
        return {}

    def write_request(self, body: Body, before: Turn, after: Turn, placeholders: Placeholders) -> Body:
        """The body with the texts of `after`."""
        return body if after == before else openai.with_texts(body, "input", after.messages[0].parts)

    def read_answer(self, answer: Body, turn: Turn) -> Turn:
        """The turn as it is."""
        if not isinstance(answer.get("data"), list):
            raise UpstreamError("the provider's answer holds no embeddings: it has no data")
        return turn

    def signed(self, answer: Body) -> Collection[int]:
        """None: nothing is signed here."""
        return ()

    def write_answer(self, answer: Body, output: Sequence[str], arguments: Sequence[str]) -> Body:
        """The answer itself."""
        return answer

    def override(self, body: Body, text: str, answer: Body | None = None) -> NoReturn:
        """Raises Filtered: numbers cannot say a text."""
        raise Filtered(text, param="input")

    def streaming(self, body: Body) -> NoReturn:
        """Raises BadRequest: nothing is streamed here."""
        raise BadRequest("embeddings are not streamed", param="stream")
