"""The daemon as users start it, asked by the clients that users have."""
