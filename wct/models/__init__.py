"""Models as data: encoders and decoders built from folders of weights and a `model.toml`."""

from wct.models.model import Card, Model, find, names

__all__ = ["Card", "Model", "find", "names"]
