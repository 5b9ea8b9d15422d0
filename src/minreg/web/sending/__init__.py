"""How stored bytes reach a client: whole or in part, as fast as it takes them."""
