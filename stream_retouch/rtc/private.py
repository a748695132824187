"""Reads and replaces the private names of aiortc 1.16 that the cures need; loud when they are gone.

aiortc keeps the parts that have to be replaced per connection (jitter buffer, encoder, decoder
thread) behind name-mangled attributes. Patching its modules instead would change every session of
the process, so the cures replace attributes of single objects, and only through this file.
"""

from __future__ import annotations

from typing import Any

from stream_retouch.errors import ServiceUnavailable


def private(instance: object, name: str) -> Any:
    """The attribute that the class of `instance` calls ``self.__name``."""
    return getattr(instance, _mangled(instance, name))


def replace_private(instance: object, name: str, value: object) -> None:
    """Replaces ``self.__name``, attribute or method, of this one `instance`."""
    setattr(instance, _mangled(instance, name), value)


def replace(instance: object, name: str, value: object) -> Any:
    """Replaces the attribute or method `name` of this one `instance`; gives what was there."""
    if not hasattr(instance, name):
        raise _unknown(instance, name)
    before = getattr(instance, name)
    setattr(instance, name, value)
    return before


def _mangled(instance: object, name: str) -> str:
    mangled = f"_{type(instance).__name__}__{name}"
    if not hasattr(instance, mangled):
        raise _unknown(instance, name)
    return mangled


def _unknown(instance: object, name: str) -> ServiceUnavailable:
    return ServiceUnavailable(
        f"this aiortc has no {type(instance).__name__}.{name}; install aiortc 1.16"
    )
