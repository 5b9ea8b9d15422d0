"""The daemon: its sockets, processes and signals, and what it tells systemd."""
