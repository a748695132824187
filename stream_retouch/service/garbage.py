"""Full garbage collections that nobody sees.

Python's collector stops every thread while it looks at all that lives. With the networks' libraries
loaded that is half a million objects and 0.3 s (measured on 2 cores), once every minute or two of a call:
the picture stood that long in every session. What is there once the parts are loaded stays until the end,
so it is set aside, and later collections look at the sessions' own few thousand objects.
"""

from __future__ import annotations

import gc


def set_aside() -> None:
    """No later collection looks at what lives now. Stops every thread for a moment, so do it before pictures flow."""
    gc.collect()
    gc.freeze()
