"""Recognisers of speech behind one protocol, `engines.transcriber.Recogniser`; imported when they are asked for."""
