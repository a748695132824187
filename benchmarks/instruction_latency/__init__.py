"""From a typed instruction to the first returned frame that shows it, while video runs.

``python -m benchmarks.instruction_latency --size 1280x720 --fps 30``. The last line is JSON.

* ``p50_ms``, ``p95_ms``: from handing the text to the data channel to the last packet of the first
  returned frame that shows at least 10 % of the final change. The change is measured in the
  returned picture (`seen`), final once the fade is over, against the steady look before (`shown`).
* ``parts_ms``: where the service's messages tell it. ``understood``: text sent to `plan` received
  (both ways, planner and conditioner); ``begun``: `plan` to `applied` received (the first frame on
  which the look begins to show has left); ``grown``: `applied` to the 10 %; ``took``: what
  `applied` says.
* ``counted`` of ``asked`` instructions; ``not_counted`` says why others were not.
* ``video``: frames a second and added delay meanwhile, as in `benchmarks.latency`.

The service runs as ``make run`` starts it. First each look is shown for a whole loop of the clip,
so that every frame of the clip is known under every look; then the texts follow one another, each
once the one before has been steady. The client sends an encoded clip and decodes after the run.
"""
