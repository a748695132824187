"""How well spoken instructions are recognised; `python -m benchmarks.speech`."""
