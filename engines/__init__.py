"""Where torch lives: the RetouchGPT network and every way to run it behind ``stream_retouch.engine``."""
