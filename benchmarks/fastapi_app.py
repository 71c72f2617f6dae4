"""The server that a competent user would write around ``basketwise.load`` with FastAPI."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

import basketwise as bw


class Basket(BaseModel):
    """One basket as a client sends it."""

    basket_id: str
    lines: list[dict[str, Any]]


class Baskets(BaseModel):
    """The body of a request."""

    baskets: list[Basket]


class Prediction(BaseModel):
    """What is answered to a basket."""

    basket_id: int | str
    predicted_sensitivity: str
    p_low: float
    p_medium: float
    p_high: float


def create_app(archive: str) -> FastAPI:
    model, app = bw.load(archive), FastAPI()

    # No coroutine, so that FastAPI calls it in a thread.
    @app.post("/predict")
    def predict(body: Baskets) -> list[Prediction]:
        rows = [{**line, "BASKET_ID": b.basket_id} for b in body.baskets for line in b.lines]
        try:
            table = model.predict(rows)
        except bw.BasketwiseError as error:
            raise HTTPException(422, str(error)) from error
        return [Prediction.model_validate(row) for row in table.to_dicts()]

    @app.get("/ready")
    def ready() -> str:
        return "ready"

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(sys.argv[1]), port=int(sys.argv[2]), access_log=False, log_level="error")
