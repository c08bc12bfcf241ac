def post_fork(server, worker):
    import grpc.experimental.gevent

    grpc.experimental.gevent.init_gevent()
