"""JSON Schema's rules, checked in linear time and without the network. The only file that imports jsonschema."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from guard.metrics.pattern import Pattern, compiled

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator


def linear_validator(schema: dict[str, Any]) -> Validator:
    """The validator of a schema in the dialect that its `$schema` names, by default 2020-12.

    Patterns are RE2's. Nothing is fetched: a `$ref` points into the schema itself. Raises ValueError where that does
    not hold, or what is written is no schema.
    """
    from jsonschema import Draft202012Validator, SchemaError, validators
    from jsonschema_specifications import REGISTRY

    dialect = validators.validator_for(schema, default=Draft202012Validator)
    try:
        dialect.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"no valid JSON Schema at {error.json_path}: {error.message}"[:500]) from None
    for pattern in _patterns(schema):
        _pattern(pattern)
    _resolve(schema, dialect.META_SCHEMA["$schema"])
    linear = validators.extend(
        dialect, {"pattern": _matches, "patternProperties": _members_match, "uniqueItems": _items_differ}
    )
    return linear(schema, registry=REGISTRY)


def _matches(validator: Validator, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _pattern(pattern).search(value):
        yield _error("does not match")


def _members_match(validator: Any, shapes: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    for pattern, shape in shapes.items() if isinstance(value, dict) else ():
        for key, member in value.items():
            if _pattern(pattern).search(key):
                yield from validator.descend(member, shape, path=key, schema_path=pattern)


def _items_differ(validator: Validator, wanted: bool, value: Any, schema: Any) -> Iterator[ValidationError]:
    # The library compares items of mixed types pair by pair, which takes minutes for a long list.
    if wanted and isinstance(value, list):
        written = {orjson.dumps(_canonical(item), option=orjson.OPT_SORT_KEYS) for item in value}
        if len(written) < len(value):
            yield _error("repeats an item")


def _canonical(value: Any) -> Any:
    """The value with 1.0 as 1, which JSON Schema holds equal."""
    if isinstance(value, float) and value.is_integer():
        return int(value) if abs(value) < 2**53 else value
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return {key: _canonical(item) for key, item in value.items()} if isinstance(value, dict) else value


def _error(message: str) -> ValidationError:
    from jsonschema import ValidationError

    return ValidationError(message)


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> Pattern:
    try:
        return compiled(pattern)
    except ValueError as error:
        raise ValueError(f"the pattern {pattern} does not compile: {error}; patterns of a schema are RE2's") from None


def _patterns(schema: dict[str, Any]) -> Iterator[str]:
    for node in _nodes(schema):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        if isinstance(node.get("patternProperties"), dict):
            yield from node["patternProperties"]


def _resolve(schema: dict[str, Any], dialect: str) -> None:
    """Raises ValueError for a reference to nothing; where parts have their own `$id`, only measuring shows that."""
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import specification_with

    nodes = list(_nodes(schema))
    if any("$id" in node for node in nodes[1:]):
        return
    resolver = REGISTRY.resolver_with_root(specification_with(dialect).create_resource(schema))
    for node in nodes:
        reference = node.get("$ref")
        try:
            if isinstance(reference, str):
                resolver.lookup(reference)
        except Unresolvable:
            fix = "put what it means under $defs, because nothing is fetched"
            raise ValueError(f"the $ref {reference} leads nowhere in the schema; {fix}") from None


def _nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object in a schema, the schema itself first, but none that is an example of data."""
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += [part for key, part in node.items() if key not in ("const", "enum", "default", "examples")]
        elif isinstance(node, list):
            waiting += node
