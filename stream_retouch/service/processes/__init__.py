"""One service in several processes, where one is not enough.

Python runs one thread at a time. Two users' frame threads, the event loop and the encoders in one process wait for
each other's interpreter: on two cores that leaves a sixth of them idle and adds 13 ms to every picture (measured:
added delay 40 / 70 ms, median and 95th percentile, with both users in one process, 27 / 40 with one each). So users are
spread over *media processes*, each a whole service of its own, behind one *front*:

    clients ─ HTTP, WebSocket ─ front ─ channel ─┬ media process a: sessions, engine, encoders ─ UDP ─ clients
                                                 └ media process b: the same

* The front (`front.py`) has the port, turns away whom the service is not for, and hands everything else to the process
  it belongs to: ids and resume tokens begin with the mark of theirs, names of streams stay where they were first.
* A request crosses as its ASGI events do (`forwarding.py`, over `channel.py`); pictures never do: every process has UDP
  ports of its own.
* Admission and the overload ladder look at the machine as a whole: each process tells how full it is, and hears
  how full the others are (`service/occupancy.py`).
* A process that ends (a fault in a native library, the system's memory killer) takes only its own users with it, and is
  started again (`fleet.py`).
"""
