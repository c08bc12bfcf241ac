# gunicorn's configuration for the profile meinheld:
# 1200 connections on 1 CPU and 256Mi of memory, served by meinheld.
#
# Written by the generator; change the profile, not this file. In the image it is /etc/kit/gunicorn.conf.py;
# in a pod a ConfigMap is mounted over it. Comments give each number at the profile's limits. At boot, numbers that
# depend on the machine are computed again from the container's real limits and reported on stdout.
# Names with a leading underscore are helpers of this file; gunicorn reads every other name as a setting.

from kit_runtime.workers import configuration as _kit

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
    master_memory_bytes=20 * 1024 * 1024,
    # Measured with the sample app; measure yours and set resources.worker_memory.
    worker_memory_bytes=30 * 1024 * 1024,
    connection_memory_bytes=16 * 1024,
)

# --- What is served, and where ---

wsgi_app = 'flask_server:app'

# Listen on every interface: a Service or another container cannot reach 127.0.0.1, gunicorn's default. Where the
# environment has PORT, which platforms that run one container set, it is that port.
bind = [_kit.bind(8000)]

# Each worker imports the app itself, after the fork.
preload_app = False

# --- How many ---

# 1: 1 x 1 CPU = 1.
# One per CPU: each worker is one event loop, and cooperative sockets use the time that a backend takes.
workers = _numbers.workers.value

# The kit's worker for the patched meinheld in this image. With the stock one a dead worker takes the master
# down, timeout is not enforced, a stop cuts requests, and 8,018 of 10,000 connections got no response; here
# 0.
worker_class = 'kit_runtime.workers.meinheld.MeinheldWorker'

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

# --- Logs: the container's own streams ---

# Errors go to stderr, requests to stdout. A log file would be lost with the container, and the root is read-only.
errorlog = "-"
loglevel = 'info'
# Off (access_log: off): formatting a line costs 20 to 40 % of throughput, and most ingresses log requests already.
accesslog = None

# --- What gunicorn's defaults get wrong in a container ---

# Heartbeat files in memory: on a disk (/tmp, the default) a slow write looks like a hung worker, or /tmp is read-only.
worker_tmp_dir = "/dev/shm"

# Since 25.1 gunicorn opens a control socket by default: it can stop workers, and it fails on a read-only root.
control_socket_disable = True

# Proxies that are trusted to set X-Forwarded-Proto, and so the scheme that the app sees.
forwarded_allow_ips = '127.0.0.1,::1'


def on_starting(server):
    """Raise the limit on open files (workers inherit it) and warn about limits that are too low."""
    _kit.starting(server, _numbers)


def when_ready(server):
    """Before the first worker is forked: freeze the objects that workers share, and print the boot report."""
    _kit.ready(
        server,
        _numbers,
        globals(),
        profile='meinheld',
        served_by='meinheld',
        kit='0.1.0',
    )


def post_fork(server, worker):
    """Do not lose a stop that arrives before the worker has its signal handlers; it would cost graceful_timeout."""
    _kit.forked(server, worker)
