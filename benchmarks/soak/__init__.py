"""What is left behind when people come and go for a long time: memory, threads, tasks, sockets, files.

``python -m benchmarks.soak --minutes 30``. The last line is JSON.

One service process, started as ``make run`` starts it, or several (``--processes N``), whose counts are added up.
One user stays all the time, with camera and microphone, and asks for something else every 20 s. Beside that one others
come, stay for 15 s and leave, in turn: a user who asks for something and says goodbye; one whose sockets are taken
away without a word, as by ``kill -9``; a publisher with two viewers. Before it is counted each of them has been there
once, so that what is made once is there.

* ``growth_mb``: resident memory of the service's process, median of the last minute less that of the minute after the
  first five. None in a run of less than seven minutes.
* ``leaked``: threads, asyncio tasks, sockets and other open files that are there once everybody has left (and the
  service has noticed) and were not before anybody had come; ``leaked_by`` says of which how many.
* ``noticed_s``: the longest time until the service had ended the session of one who was taken away.
* ``visits``: who came; ``refused``: how often somebody was turned away, for the machine carried no more (then nobody
  comes and goes, and the figures say little); ``failed``: who came and was not served.
"""
