"""What people have: gunicorn configurations, command lines, Dockerfiles, Compose files and manifests, and findings."""
