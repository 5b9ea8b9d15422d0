"""Every request that the tests know, many times over, and what the daemon's process needs then."""
