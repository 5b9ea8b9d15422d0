"""What asks upstream registries: addresses, logins, TLS, retries, and the protocol."""
