"""Frozen dataclasses to JSON and back, checked on the way in. The one definition of how evidence is written down."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar, get_args

from pydantic import TypeAdapter

from edgewright.state.events import Event

T = TypeVar("T")

_KINDS: Mapping[str, type[Event]] = MappingProxyType({kind.__name__: kind for kind in get_args(Event)})
_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """Return what turns objects of this dataclass into JSON and back; made on first use, since making one is slow."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def encode(content: object) -> str:
    """Return a frozen dataclass as canonical JSON: keys sorted, no spaces, no NaN.

    Raises:
        ValueError: If a number is not finite or a text is not Unicode (half a surrogate pair, from a file name).
    """
    plain = adapter(type(content)).dump_python(content, mode="json")
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    text.encode()
    return text


def decode(kind: type[T], data: str | bytes) -> T:
    """Return the object of this dataclass that the JSON describes.

    Raises:
        pydantic.ValidationError: If it describes none.
    """
    content: T = adapter(kind).validate_json(data)
    return content


def decode_event(kind: str, data: str | bytes) -> Event:
    """Return the event of this class name.

    Raises:
        KeyError: If there is no such kind of event.
        pydantic.ValidationError: If the data is not one.
    """
    return decode(_KINDS[kind], data)
