"""A trained text classifier over HTTP, on NumPy and the engine alone.

    pip install starlette uvicorn
    ELMAN_MODEL=demo/surnames uvicorn --app-dir examples/http serve:app
    curl -s localhost:8000/predict -d '{"texts": ["Novotná", "Beethoven"]}'

A text's probabilities are the same bits whatever else a request holds, so that answers can be cached and compared.
"""

import json
import os

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import elman

LARGEST_BODY = 1 << 20  # bytes
MOST_TEXTS = 1000

# Models are immutable: all requests share this one, from any number of threads.
model = elman.runtime.TextClassifier.load(os.environ["ELMAN_MODEL"])


async def predict(request: Request) -> JSONResponse:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            return refusal(f"body: expected at most {LARGEST_BODY} bytes, got more", status=413)
    try:
        texts = json.loads(body)["texts"]
        if not isinstance(texts, list) or len(texts) > MOST_TEXTS:
            raise TypeError
    except (ValueError, TypeError, KeyError, RecursionError):
        return refusal(f'body: expected {{"texts": […]}} of at most {MOST_TEXTS} texts, got something else')
    try:
        probabilities = await run_in_threadpool(model.predict_proba, texts)
    except elman.InputError as error:
        return refusal(str(error))
    best = probabilities.argmax(axis=1)
    return JSONResponse(
        [{"label": model.classes[k], "probability": float(row[k])} for k, row in zip(best, probabilities, strict=True)]
    )


async def health(request: Request) -> JSONResponse:
    return JSONResponse({"elman": elman.__version__, "classes": list(model.classes)})


def refusal(message: str, status: int = 400) -> JSONResponse:
    return JSONResponse({"error": message}, status)


app = Starlette(routes=[Route("/predict", predict, methods=["POST"]), Route("/health", health)])
