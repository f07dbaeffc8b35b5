"""Objects from outside, declared as models: what a declaration needs."""

from .member import About
from .model import Model
from .types import Flag, Items, Secret, Text
from .unions import OneOf

__all__ = ["About", "Flag", "Items", "Model", "OneOf", "Secret", "Text"]
