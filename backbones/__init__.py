"""Backbones for style transfer."""
