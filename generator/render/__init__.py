"""Templates to text: the Jinja environment, its filters, and patches of the manifests."""
