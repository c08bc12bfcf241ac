# Configuration of the kit's pywsgi server for the profile pywsgi:
# 1200 connections on 1 CPU and 256Mi of memory, served by gevent's own WSGI server.
#
# Written by the generator; change the profile, not this file. In the image it is /etc/kit/pywsgi.conf.py;
# in a pod a ConfigMap lies over that file. Names mean what they mean to gunicorn. Comments give each number at
# the profile's own limits; where it depends on the machine, boot works it out again from the container's real
# ones and reports it on stdout. A name with a leading underscore is this file's own.

from kit_runtime import configuration as _kit

# Refuses to run in an image of another runtime version.
_kit.begin(runtime='ce248a260d31')

# What the profile asks for and what was measured of this server; the formulas are in kit_runtime/sizing.py.
_numbers = _kit.numbers(
    connections=1200,
    workers={'per_cpu': 1, 'plus': 0, 'at_least': 1, 'at_most': None},
    threads=None,
    worker_connections=None,
    backlog=4096,
    shares_connections=True,
    counts_connections=True,
    master_memory_bytes=22 * 1024 * 1024,
    # The sample app's, measured; measure yours and set resources.worker_memory.
    worker_memory_bytes=20 * 1024 * 1024,
    connection_memory_bytes=26 * 1024,
)

# --- What is served, and where ---

wsgi_app = 'flask_server:app'

# All addresses of the container: one that listens on 127.0.0.1 no Service and no other container reaches.
bind = '0.0.0.0:8000'

# The app is imported once and frozen before the fork: 46 MiB instead of 62 MiB with 2 workers. Connections
# opened at import would be shared by all workers: open them in a worker's first request.
preload_app = True

# --- How many ---

# 1: 1 x 1 CPU = 1.
# One a CPU: greenlets share one CPU whatever their number.
workers = _numbers.workers.value

# A client has this long to send a request's headers, however long keepalive lets it idle between requests.
header_timeout = 10

# 1560: 1.3 x 1200 connections / 1 workers, rounded up.
# A worker that is full stops accepting; what does not fit elsewhere waits in the backlog.
# Open files, a limit raised at boot:
# 3248: 2 x 1560 worker_connections (the client's socket and one to a backend) + 128.
worker_connections = _numbers.worker_connections.value

# Connections that the kernel has accepted and no worker yet; it cuts this at net.core.somaxconn (4096).
backlog = _numbers.backlog.value

# --- How long ---

# An idle connection stays open for this long: longer than the 60 s after which most proxies drop theirs, since
# the side that closes first must be the one that sends requests.
keepalive = 75

# A worker that has hung for this long is killed and replaced. It limits no request: the loop or another
# thread goes on meanwhile.
timeout = 30

# After SIGTERM requests in flight have this long. What stops the container waits 40 s:
# 5 preStop + 30 graceful_timeout + 5 to exit.
graceful_timeout = 30

# No worker is replaced for its age; only an app that leaks memory needs it.
max_requests = 0
max_requests_jitter = 0

# --- Logs: the container's own streams, errors on stderr, requests on stdout ---

loglevel = 'info'
# Off by the profile: formatting costs 20 to 40 % of throughput, and most ingresses keep an access log.
accesslog = None

# Proxies whose X-Forwarded-Proto is believed.
forwarded_allow_ips = '127.0.0.1,::1'


def when_ready(server):
    """No worker is forked yet: raise the limit on open files, which they inherit, warn, and report."""
    _kit.ready(
        server,
        _numbers,
        {},
        profile='pywsgi',
        served_by='pywsgi',
        kit='0.1.0',
    )
