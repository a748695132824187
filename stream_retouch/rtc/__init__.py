"""Real-time media over WebRTC: aiortc and the cures for its faults, one module each."""
