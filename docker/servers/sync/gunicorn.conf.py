# gunicorn's configuration for the profile sync:
# 3 connections on 1 CPU and 256Mi of memory, served by sync.
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
    connections=3,
    workers={'per_cpu': 2, 'plus': 1, 'at_least': 1, 'at_most': None},
    threads=None,
    worker_connections=None,
    backlog=4096,
    shares_connections=True,
    counts_connections=False,
    master_memory_bytes=20 * 1024 * 1024,
    # Measured with the sample app; measure yours and set resources.worker_memory.
    worker_memory_bytes=16 * 1024 * 1024,
    connection_memory_bytes=4 * 1024,
)

# --- What is served, and where ---

wsgi_app = 'flask_server:app'

# Listen on every interface: a Service or another container cannot reach 127.0.0.1, gunicorn's default. Where the
# environment has PORT, which platforms that run one container set, it is that port.
bind = [_kit.bind(8000)]

# The app is imported once and frozen before the fork: 60 MiB instead of 87 MiB with 4 workers. Workers would
# share connections that are opened at import: open them in the app's post_fork hook.
preload_app = True

# --- How many ---

# 3: 2 x 1 CPU + 1 = 3.
# 2 x CPU + 1, gunicorn's own rule: a worker handles one request at a time.
workers = _numbers.workers.value

# Gunicorn's simplest worker: it holds one connection from its first byte to its last; this one also serves at
# a stop those who wait in its queue, where the stock class resets 1 or 2 of 100.
worker_class = 'kit_runtime.workers.sync.DrainingSyncWorker'

# Connections that wait in the kernel's queue for a worker. The kernel caps it at net.core.somaxconn (4096).
backlog = _numbers.backlog.value

# --- How long ---

# A request that takes longer costs its worker: it is killed and replaced. Slow clients count too.
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
        profile='sync',
        served_by='sync',
        kit='0.1.0',
    )


def post_fork(server, worker):
    """Do not lose a stop that arrives before the worker has its signal handlers; it would cost graceful_timeout."""
    _kit.forked(server, worker)
