"""How well faces are found and followed: ``python -m benchmarks.faces``; see `benchmarks.faces.__main__`."""
