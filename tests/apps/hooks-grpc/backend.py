import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

TOGETHER = 4
there = threading.Barrier(TOGETHER)


def meet(request, context):
    # Answers when all calls are in progress at the same time.
    try:
        there.wait(20)
    except threading.BrokenBarrierError:
        return b"alone"
    return b"together"


handlers = {"Meet": grpc.unary_unary_rpc_method_handler(meet)}
server = grpc.server(ThreadPoolExecutor(TOGETHER))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Meeting", handlers)])
server.add_insecure_port("127.0.0.1:50051")
server.start()
server.wait_for_termination()
