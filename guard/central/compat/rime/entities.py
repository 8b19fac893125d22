"""RIME's names for what Guard's metrics find."""

from __future__ import annotations

from collections.abc import Collection

#: Kinds of personal data, and the label of `pii` that each is among.
ENTITIES = {
    "ABA_ROUTING_NUMBER": "account_info",
    "AU_ABN": "organization_id",
    "AU_ACN": "organization_id",
    "AU_MEDICARE_NUMBER": "medical_id",
    "AU_TFN": "tax_id",
    "CREDIT_CARD_NUMBER": "credit_card_info",
    "EMAIL": "email",
    "IBAN_CODE": "account_info",
    "IP_ADDRESS": "network_info",
    "MEDICAL_LICENSE_NUMBER": "medical_license",
    "PHONE_NUMBER": "phone_number",
    "NHS_NUMBER": "medical_id",
    "US_BANK_NUMBER": "account_info",
    "US_DRIVERS_LICENSE_NUMBER": "driver_license",
    "US_ITIN": "tax_id",
    "US_PASSPORT_NUMBER": "passport",
    "US_SSN": "ssn",
    "DATETIME": "date",
    "LOCATION": "location",
    "PERSON": "name",
    "ORGANIZATION": "organization",
}
#: Those that RIME flags only where they are named.
NAMED_ONLY = {"DATETIME", "LOCATION", "PERSON", "ORGANIZATION"}
UNMEASURED = {"NRP"}

TOXIC = {
    "insult": "HARASSMENT",
    "threat": "VIOLENCE",
    "identity_hate": "HATE_SPEECH",
    "sexism": "HATE_SPEECH",
    "sexual": "SEXUAL_CONTENT",
    "obscene": "PROFANITY",
    "violence": "VIOLENCE",
    "self_harm": "SELF_HARM",
}
TECHNIQUES = {"impersonation": "ROLE_PLAY_JAIL_BREAKS", "simple_instruction": "SYSTEM_INSTRUCTION_OVERRIDE"}


def default_entities() -> list[str]:
    """The kinds of personal data that RIME flags where none is named."""
    return [name for name in ENTITIES if name not in NAMED_ONLY]


def entity(label: str, wanted: Collection[str]) -> str | None:
    """The one of the wanted kinds that a label of `pii` can only be; None where it can be several."""
    found = [name for name in wanted if ENTITIES[name] == label]
    return found[0] if len(found) == 1 else None
