# Configuration of the kit's pywsgi server for the profile pywsgi:
# 1200 connections on 1 CPU and 256Mi of memory, served by gevent's own WSGI server.
#
# Written by the generator; change the profile, not this file. In the image it is /etc/kit/pywsgi.conf.py;
# in a pod a ConfigMap lies over that file. Names mean what they mean to gunicorn. Comments give each number at
# the profile's own limits; where it depends on the machine, boot works it out again from the container's real
# ones and reports it on stdout. A name with a leading underscore is this file's own.

from kit_runtime import configuration as _kit

# Stops here if the image has another version of the runtime than the one this file was generated for.
_kit.begin(runtime='b4551610236c')

# Inputs: the profile's requirements and the figures measured for this server. Formulas: kit_runtime/sizing.py.
_numbers = _kit.numbers(
    connections=1200,
    workers={'per_cpu': 1, 'plus': 0, 'at_least': 1, 'at_most': None},
    threads=None,
    worker_connections=None,
    backlog=4096,
    shares_connections=True,
    counts_connections=True,
    master_memory_bytes=22 * 1024 * 1024,
    # Measured with the sample app; measure yours and set resources.worker_memory.
    worker_memory_bytes=20 * 1024 * 1024,
    connection_memory_bytes=26 * 1024,
)

# --- What is served, and where ---

wsgi_app = 'flask_server:app'

# Listen on every interface: a Service or another container cannot reach 127.0.0.1. Where the environment has PORT,
# which platforms that run one container set, it is that port.
bind = _kit.bind(8000)

# The app is imported once and frozen before the fork: 46 MiB instead of 62 MiB with 2 workers. Workers would
# share connections that are opened at import: open them in a worker's first request.
preload_app = True

# --- How many ---

# 1: 1 x 1 CPU = 1.
# One per CPU: all greenlets of a process share one CPU.
workers = _numbers.workers.value

# Seconds a client may take to send the headers of a request; idle time between requests is keepalive's matter.
header_timeout = 10

# 1560: 1.3 x 1200 connections / 1 workers, rounded up.
# A full worker stops accepting; connections that no worker can take wait in the backlog.
# The limit on open files follows from it and is raised at boot:
# 3248: 2 x 1560 worker_connections (the client's socket and one to a backend) + 128.
worker_connections = _numbers.worker_connections.value

# Connections that wait in the kernel's queue for a worker. The kernel caps it at net.core.somaxconn (4096).
backlog = _numbers.backlog.value

# --- How long ---

# Seconds an idle connection stays open: more than the 60 s of most load balancers. The client side must close
# first, or it may send a request on a connection that the server is closing.
keepalive = 75

# Seconds without a heartbeat after which a worker counts as hung and is replaced. It does not limit a
# request: the event loop or another thread keeps the heartbeat going.
timeout = 30

# Seconds that requests in flight have to finish after SIGTERM. Whatever stops the container must wait 40 s:
# 5 preStop + 30 graceful_timeout + 5 to exit.
graceful_timeout = 30

# Workers are never recycled; only an app that leaks memory needs that.
max_requests = 0
max_requests_jitter = 0

# --- Logs: the container's own streams, errors on stderr, requests on stdout ---

loglevel = 'info'
# Off (access_log: off): formatting a line costs 20 to 40 % of throughput, and most ingresses log requests already.
accesslog = None

# Proxies that are trusted to set X-Forwarded-Proto, and so the scheme that the app sees.
forwarded_allow_ips = '127.0.0.1,::1'


def when_ready(server):
    """Before the first worker is forked: raise the limit on open files, warn if it is too low, and report."""
    _kit.ready(
        server,
        _numbers,
        {},
        profile='pywsgi',
        served_by='pywsgi',
        kit='0.1.0',
    )
