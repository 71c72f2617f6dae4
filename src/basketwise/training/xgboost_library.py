"""XGBoost's library without its Python package.

The package imports scikit-learn, and pandas and PyArrow where they are installed: that takes longer
than scoring a small file, and more memory than all else that a server needs. Its library has an
interface for C that needs none of them; answers are the package's to the bit, since the same code
gives them.

Reference: XGBoost's documentation, "XGBoost C Package", ``XGBoosterPredictFromDense``.
"""

from __future__ import annotations

import ctypes
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np

from basketwise.arrays import Matrix, Probabilities

LIBRARIES = ("libxgboost.so", "libxgboost.dylib", "xgboost.dll")
CONFIG = json.dumps(
    {
        "type": 0,
        "training": False,
        "iteration_begin": 0,
        "iteration_end": 0,
        "missing": float("nan"),
        "strict_shape": True,
        "cache_id": 0,
    }
).encode()
"""Of a prediction: probabilities, by all trees."""


class BoostedTrees:
    """A booster in XGBoost's library.

    Parameters
    ----------
    data : bytes
        XGBoost's JSON of a model that :func:`basketwise.training.boosters.check_booster` accepts.
    threads : int
        Of a prediction.

    Raises
    ------
    ValueError
        If XGBoost refuses it.
    """

    def __init__(self, data: bytes, threads: int = 1) -> None:
        self._library = _library()
        self._handle = ctypes.c_void_p()
        self._data, self._threads = data, threads
        self._call("XGBoosterCreate", None, ctypes.c_uint64(0), ctypes.byref(self._handle))
        self._call("XGBoosterSetParam", self._handle, b"nthread", str(threads).encode())
        self._call("XGBoosterLoadModelFromBuffer", self._handle, data, ctypes.c_uint64(len(data)))

    def __reduce__(self) -> tuple[type[BoostedTrees], tuple[bytes, int]]:
        return BoostedTrees, (self._data, self._threads)

    def __del__(self) -> None:
        library = getattr(self, "_library", None)
        if library is not None and self._handle:
            library.XGBoosterFree(self._handle)

    def predict_proba(self, X: Matrix) -> Probabilities:
        """Return one column of probabilities per class number."""
        return cast("Probabilities", self.predict(X))

    def predict(self, X: Matrix) -> Matrix:
        """Return what the model answers to each row, in single precision."""
        rows = np.ascontiguousarray(X, dtype=np.float32)
        interface = {
            "data": [rows.ctypes.data, True],
            "shape": list(rows.shape),
            "typestr": rows.dtype.str,
            "version": 3,
        }
        shape, size = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        result = ctypes.POINTER(ctypes.c_float)()
        self._call(
            "XGBoosterPredictFromDense",
            self._handle,
            json.dumps(interface).encode(),
            CONFIG,
            None,
            ctypes.byref(shape),
            ctypes.byref(size),
            ctypes.byref(result),
        )
        # The library's own memory, which the thread's next prediction writes to.
        answer = np.ctypeslib.as_array(result, shape=tuple(shape[i] for i in range(size.value)))
        return np.array(answer, dtype=np.float32)

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._library, name)(*arguments):
            message = self._library.XGBGetLastError().decode("utf-8", "replace")
            raise ValueError(f"XGBoost refuses it: {message.splitlines()[0][:200]}")


def find_library() -> Path | None:
    """Return where XGBoost's library is; None if it is not installed, or is elsewhere."""
    spec = find_spec("xgboost")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for name in LIBRARIES:
            path = Path(folder) / "lib" / name
            if path.is_file():
                return path
    return None


@cache
def _library() -> ctypes.CDLL:
    path = find_library()
    if path is None:
        raise ValueError("XGBoost's library is not installed")
    library = ctypes.CDLL(str(path))
    library.XGBGetLastError.restype = ctypes.c_char_p
    return library
