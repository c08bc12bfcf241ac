"""`kubectl apply -f k8s/` on a real Kubernetes: a cluster of the user's, one of kind's, or a node of our own."""
