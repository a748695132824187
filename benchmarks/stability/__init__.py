"""How still the retouching is on moving pictures; see ``python -m benchmarks.stability --help``."""
