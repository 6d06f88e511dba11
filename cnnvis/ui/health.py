"""`GET /healthz`: whether the page can serve, for whatever keeps it running."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from cnnvis.network.weights import is_loaded
from cnnvis.ui.serving.queues import line_of


def healthz(request: Request) -> JSONResponse:
    """200 while the network is loaded and the queues run, otherwise 503, and how many wait for an ascent."""
    page = request.app.get_blocks()
    network, queue = is_loaded(), not page._queue.stopped
    state = {"network_loaded": network, "queue_running": queue, "ascents_waiting": len(line_of(page))}
    return JSONResponse(state, 200 if network and queue else 503)


ROUTES = [Route("/healthz", healthz)]
