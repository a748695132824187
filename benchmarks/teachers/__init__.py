"""Third-party detectors and landmarks, to be measured beside ours: each in a file, read from ``shared/weights``.

Nothing of them is in the product. ``python -m benchmarks.teachers`` measures how a detector's box lies to our oval.
"""
