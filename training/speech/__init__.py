"""The sound model of the recogniser that ships: synthetic speakers, their recordings, and its training."""
