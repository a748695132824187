"""Made-up video frames with people in them whose every landmark is known.

Portraits with 3-D landmarks are turned, scaled and set into rooms, galleries and webcam pictures,
partly covered, lit and filmed badly. The finder trains on them in luma; the benchmark measures on
them in colour.
"""
