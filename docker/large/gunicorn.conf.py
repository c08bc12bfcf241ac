# gunicorn's configuration for the profile large:
# 10000 connections on 2 CPU and 1Gi of memory, served by gevent.
#
# Written by the generator; change the profile, not this file. In the image it is /etc/kit/gunicorn.conf.py;
# in a pod a ConfigMap is mounted over it. Comments give each number at the profile's limits. At boot, numbers that
# depend on the machine are computed again from the container's real limits and reported on stdout.
# Names with a leading underscore are helpers of this file; gunicorn reads every other name as a setting.

# This must come first: modules imported before the patch keep blocking sockets and locks, and nothing warns of it.
from gevent import monkey as _monkey

_monkey.patch_all()

from kit_runtime.workers import configuration as _kit
from kit_runtime.workers.gevent import FairGeventWorker as _Worker

# Stops here if the image has another version of the runtime than the one this file was generated for.
_kit.begin(runtime='b4551610236c')

# Inputs: the profile's requirements and the figures measured for this server. Formulas: kit_runtime/sizing.py.
_numbers = _kit.numbers(
    connections=10000,
    workers={'per_cpu': 1, 'plus': 0, 'at_least': 1, 'at_most': None},
    threads=None,
    worker_connections=None,
    backlog=4096,
    shares_connections=True,
    counts_connections=True,
    master_memory_bytes=28 * 1024 * 1024,
    # Measured with the sample app; measure yours and set resources.worker_memory.
    worker_memory_bytes=20 * 1024 * 1024,
    connection_memory_bytes=23 * 1024,
)

# --- What is served, and where ---

wsgi_app = 'flask_server:app'

# Listen on every interface: a Service or another container cannot reach 127.0.0.1, gunicorn's default. Where the
# environment has PORT, which platforms that run one container set, it is that port.
bind = [_kit.bind(8000)]

# The app is imported once and frozen before the fork: 69 MiB instead of 106 MiB with 4 workers. Workers would
# share connections that are opened at import: open them in the app's post_fork hook.
preload_app = True

# --- How many ---

# 2: 1 x 2 CPU = 2.
# One per CPU: with 10,000 connections on a 50 ms backend, 2 x CPU + 1 workers served 1.1 times the requests,
# in rounds that overlap, for 46 % more memory; `tune` measures your app.
workers = _numbers.workers.value

# Gunicorn's gevent worker with fair scheduling and a short path for ordinary requests: of 10,000 connections
# at once the stock class left 8,354 without any response, this one 0.
worker_class = 'kit_runtime.workers.gevent.FairGeventWorker'

# Seconds a client may take to send the headers of a request; idle time between requests is keepalive's matter.
_Worker.header_timeout = 10

# 6500: 1.3 x 10000 connections / 2 workers, rounded up.
# A full worker stops accepting; connections that no worker can take wait in the backlog.
# The limit on open files follows from it and is raised at boot:
# 13128: 2 x 6500 worker_connections (the client's socket and one to a backend) + 128.
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

# None of a trusted proxy's headers may replace SCRIPT_NAME or PATH_INFO, as gunicorn's default allows: most ingresses
# pass on what their client sent under these names, who would choose the path that the app sees, behind their rules.
forwarder_headers = ""


def on_starting(server):
    """Raise the limit on open files (workers inherit it) and warn about limits that are too low."""
    _kit.starting(server, _numbers)


def when_ready(server):
    """Before the first worker is forked: freeze the objects that workers share, and print the boot report."""
    _kit.ready(
        server,
        _numbers,
        globals(),
        profile='large',
        served_by='gevent',
        kit='0.1.0',
    )


def post_fork(server, worker):
    """Do not lose a stop that arrives before the worker has its signal handlers; it would cost graceful_timeout."""
    _kit.forked(server, worker)
