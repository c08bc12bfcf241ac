"""Turn a short YAML profile into a gunicorn configuration, a Dockerfile and Kubernetes manifests."""
