"""Other ways to read an audit file, each run in a fresh process: `python -m peers.NAME FILE QUESTION`."""
