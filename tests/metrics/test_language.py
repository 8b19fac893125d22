from __future__ import annotations

from pathlib import Path

import pytest

from guard.errors import MetricError
from guard.metrics import Metric, Turn
from guard.metrics.language import UNKNOWN, codes
from guard.metrics.registry import REGISTRY, make


def language(metric: Metric, *texts: str) -> object:
    return metric.measure(Turn(output=texts), "output").value  # type: ignore[union-attr]


def test_language_is_a_built_in_label_of_known_codes() -> None:
    metric = REGISTRY["language"]
    assert (metric.kind, metric.windowed, metric.labels) == ("label", False, codes() | {UNKNOWN})


def test_known_codes_are_those_of_the_library() -> None:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    assert codes() == {label for label in LanguageIdentifier.from_model_file(MODEL_FILE).labels if len(label) == 2}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("How do I reset my password, please?", "en"),
        ("Wie setze ich mein Passwort zurück?", "de"),
        ("¿Dónde está la biblioteca municipal?", "es"),
        ("Comment réinitialiser mon mot de passe ?", "fr"),
        ("Как мне сбросить пароль от почты?", "ru"),
        ("如何重置我的密码？", "zh"),
        ("パスワードをリセットするには？", "ja"),
        ("비밀번호를 어떻게 재설정하나요?", "ko"),
        ("كيف يمكنني إعادة تعيين كلمة المرور؟", "ar"),
    ],
)
def test_sentences_are_told_apart(text: str, code: str) -> None:
    assert language(REGISTRY["language"], text) == code


@pytest.mark.parametrize("text", ["", "ok", "12345 67.8", "😀😀", "\ud800", "!?"])
def test_what_is_too_short_to_tell_is_unknown(text: str) -> None:
    assert language(REGISTRY["language"], text) == UNKNOWN


def test_passages_are_read_together() -> None:
    assert language(REGISTRY["language"], "Guten", "Morgen,", "wie geht", "es Ihnen?") == "de"
    assert language(REGISTRY["language"]) == UNKNOWN


def test_a_language_that_a_policy_does_not_list_is_unknown() -> None:
    ours = make("lang", {"kind": "language", "languages": ["en", "nl"]}, Path())
    assert ours.labels == {"en", "nl", UNKNOWN}
    assert language(ours, "How do I reset my password, please?") == "en"
    assert language(ours, "Comment réinitialiser mon mot de passe ?") == UNKNOWN


def test_a_policy_sets_the_confidence_that_counts() -> None:
    greeting = "Hello there my friend"
    answers = [
        language(make("lang", {"kind": "language", "min_confidence": least}, Path()), greeting) for least in (0.0, 1.0)
    ]
    assert answers == ["en", UNKNOWN]
    assert language(make("lang", {"kind": "language", "min_confidence": 0.0}, Path()), "12 34") == UNKNOWN
    assert language(make("lang", {"kind": "language", "min_confidence": 0.0}, Path()), "") == UNKNOWN


def test_the_version_follows_the_settings() -> None:
    settings = ({}, {"languages": ["en"]}, {"min_confidence": 0.5})
    assert len({make("lang", {"kind": "language", **one}, Path()).version for one in settings}) == 3


def test_an_unknown_language_is_refused_with_the_nearest() -> None:
    with pytest.raises(MetricError, match=r"metric 'lang': no language 'fra'; did you mean 'fr'\?"):
        make("lang", {"kind": "language", "languages": ["fra"]}, Path())
