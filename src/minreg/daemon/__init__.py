"""The daemon and what it runs under: systemd, signals, and a root that may come late."""
