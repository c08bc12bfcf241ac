"""What runs inside every image: limits, sizes, boot, worker classes. Copied verbatim as ``kit_runtime``.

Standard library only, but for the modules named after a server, which import that server.
"""
