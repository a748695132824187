"""What a call looks like when the network loses, delays or reorders packets.

``python -m benchmarks.loss --seconds 120``. A relay stands between the measuring client and the
service, 25 ms each way, and treats one direction at a time badly, by a seed: ``uplink`` is client
to service, ``downlink`` service to client; the other direction only takes its 25 ms. The bad time
begins when the call has run for a while. Packets are told apart by their RTP headers, which SRTP
leaves readable; a bad direction loses anything that travels in it (media, feedback, data), except
in ``one_packet``, which loses video.

Scenarios: ``one_packet`` one video packet and its first retransmission, several times, once of
them within a key frame that was asked for; ``loss_1`` ``loss_3`` ``loss_10`` that percentage of
packets, at random; ``reorder_5`` 5 % of packets delayed by 5 to 15 ms more; ``outage_300`` nothing
passes for 300 ms, several times; ``bottleneck`` 1 Mbps from one moment on, with a queue of up to
2 s before it and what does not fit dropped.

Figures. A frame is shown when the client's decoder gives it with its frame number readable, the
picture whole (like the camera's, cell by cell) and newer than all before. On the uplink that is
what the service has decoded and sent back over a good downlink.

* ``freeze_ms_max``: longest time between two shown frames, less one frame interval (33 ms).
* ``recovery_s``: from a lost (or late) video packet, the end of an outage, or the beginning of the
  bottleneck, until half a second begins in which frames that the camera gave since are shown at 25
  a second or more. So the call's own delay is in it. The worst of the run.
* ``fps``: frames shown a second. ``frames_lost``: of those the camera gave in the measured time,
  never shown. ``frames_broken``: given by the decoder, but unreadable or damaged.
  ``camera_missed``: never sent, because the client itself was too slow.
* ``delay_ms``: from the camera to the client's decoder, both ways of 25 ms included.
* ``nack``, ``pli``, ``rtx``: packets of feedback and retransmission about the measured direction's
  video, as their headers tell on the wire. RTCP is read by the first part of a compound packet; the
  rest is encrypted, so feedback behind a report is not seen. One PLI of ``one_packet``'s downlink is
  the benchmark's own, for the key frame.

The client does what a browser does. It answers NACK by RTX out of the last three seconds, PLI by a
key frame, and obeys the rate it is told (REMB). It asks for what is missing (NACK, again and again,
by the round trip), asks for a key frame when it does not come (PLI), and shows frames in order,
each as soon as it is complete. The receiving half are the service's own cures (stream_retouch.rtc),
for stock aiortc's row as for ours: aiortc's own receiver does none of it, a browser all. The client
tells the service 3 Mbps, as on a clean network; on the bottleneck it tells what aiortc's estimator
finds, which is that of browsers (REMB), from 3 Mbps on. Unlike a browser it does not pace.

Client, relay and service share the machine: where it is busy with other work, frames come late or
never, and ``camera_missed`` is above 0. ``--size 640x360`` takes less.
"""
