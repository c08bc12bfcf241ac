"""What runs inside every image: limits, sizes, boot, worker classes. Copied verbatim as ``kit_runtime``.

Standard library only, but for the modules named after a server, which import that server.
"""

#: A configuration file states the runtime version it was written for, and boot refuses another one:
#: in a pod the file comes from a ConfigMap, which may be newer or older than the image.
VERSION = "1"
