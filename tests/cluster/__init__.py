"""`kubectl apply -f k8s/` on a real Kubernetes: a cluster of the user's, or a node of our own."""
