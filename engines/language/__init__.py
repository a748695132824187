"""The planner's network: free words to a program of `stream_retouch.language.program`."""
