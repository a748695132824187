"""stream_retouch: a real-time face-retouch filter steered by words."""

__version__ = "0.1.0"
