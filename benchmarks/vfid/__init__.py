"""Fréchet distances between sets of face videos: VFID as published, and VFD-A / VFD-T of our own."""
