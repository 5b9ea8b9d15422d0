"""What a K3s node needs: minreg as a service, and K3s told of it."""
