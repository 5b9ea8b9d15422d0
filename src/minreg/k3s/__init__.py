"""What minreg knows of K3s and RKE2: their configuration, manifests, and mistakes in both."""
