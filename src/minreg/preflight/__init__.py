"""Whether all that a node will ask for is here: known before the node asks."""
