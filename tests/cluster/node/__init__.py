"""A real one-node Kubernetes of our own: built once, started in namespaces of its own, gone without a trace."""
