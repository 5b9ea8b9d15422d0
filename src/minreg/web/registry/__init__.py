"""The registry itself: its tree of URLs, and a leaf for each thing that can be asked for."""
