"""Recognisers of speech behind one protocol, `stream_retouch.engine.Transcriber`; imported when they are asked for."""
