"""The soak test: repeats every kind of request many times, and measures the daemon's process."""
