"""What is served beside the registry, for those who look after it."""
