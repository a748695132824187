"""How many people one machine carries: users who talk to it, and viewers of one stream.

``python -m benchmarks.load --users 2`` · ``--users 1,2,3,...`` (on until somebody is refused) ·
``--viewers 10``. The last line is JSON.

Every row is one service process, started as ``make run`` starts it, and clients that come a few
seconds apart, each with a face in every frame, H.264 at ``--size`` and ``--fps``. The clients
encode and decode nothing while they measure, but they share the machine: a fifth of a core each.

* ``fps_min``: whole frames that came back to the user who got the fewest, a second.
* ``fresh_share``: of the user who got the least, the share of frames whose edit came from their own
  crop, as the service told that user.
* ``added_ms``: of the user who waited longest, from the last packet of a frame arriving at the
  service to the last packet of the same frame leaving it. With ``--viewers``: of the publisher's
  frames on their way to the viewers, of the viewer who waited longest.
* ``longest_gap_ms``: the longest time that anybody saw no new frame. ``rungs``: how far each user
  had to go without (`stream_retouch.service.ladder`), 0 for not at all.
* ``refused``: users who got 503, and the reason they were told.
* ``mixed_up``: frames that carried another number than the one that was sent: 0, or users are mixed.
* ``cpu_percent`` is of one core, the clients not included; ``loop_percent`` is the part of the event
  loop's thread, which cannot use a second core; ``loop_lag_ms`` how late its timers were.

Stock aiortc, with an identity filter and without admission, gets the same clients: it does not
retouch, so it has less to do.
"""
