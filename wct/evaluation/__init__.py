"""Measuring: how well a model gives pictures back, and how near a stylised picture is to its style and content."""

from wct.evaluation.reconstruction import psnr, reconstruction
from wct.evaluation.stylization import content_distance, style_distance, stylization

__all__ = ["content_distance", "psnr", "reconstruction", "style_distance", "stylization"]
