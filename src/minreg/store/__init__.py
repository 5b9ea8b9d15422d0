"""Where content lies, seen from the side that reads it."""
