# One image for everything that Basketwise does on SageMaker: processing, train, evaluate, serve.
#
#   docker build -t basketwise .
#
# A tag moves: name the digest that you have tested, which
# `docker buildx imagetools inspect python:3.12-slim` prints, and the build always starts from it:
#
#   docker build --build-arg BASE=docker.io/library/python:3.12-slim@sha256:… -t basketwise .
#
# BASE needs python3 (3.11 or newer) with its venv module, and nothing else.
#
# It runs as root: SageMaker expects that of all containers, and mounts folders that belong to root.
# Elsewhere, or if your account demands it, name another user: --build-arg RUN_AS=1000:1000
ARG BASE=docker.io/library/python:3.12-slim

FROM ${BASE} AS build
ARG BASE
RUN case "${BASE}" in \
      *@sha256:*) ;; \
      *) echo "WARNING: BASE is ${BASE}, a tag that moves; name a digest: ${BASE}@sha256:…" >&2 ;; \
    esac
WORKDIR /src
COPY requirements/runtime.lock requirements/
RUN python3 -m venv /opt/basketwise \
 && /opt/basketwise/bin/pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes -r requirements/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
RUN /opt/basketwise/bin/pip install --no-cache-dir --disable-pip-version-check \
        --no-deps --no-build-isolation . \
 && /opt/basketwise/bin/python -m compileall -q /opt/basketwise/lib

FROM ${BASE}
# SageMaker may choose the port that an endpoint listens on.
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
COPY --from=build /opt/basketwise /opt/basketwise
ARG RUN_AS=0:0
# SageMaker mounts its folders below /opt/ml; elsewhere they must be there, and be the user's own.
RUN mkdir -p /opt/ml/model /opt/ml/output /opt/ml/processing /home/basketwise/matplotlib \
 && chown -R "${RUN_AS}" /opt/ml /home/basketwise \
 && chmod 1777 /home/basketwise/matplotlib
ENV PATH=/opt/basketwise/bin:$PATH \
    HOME=/home/basketwise \
    MPLCONFIGDIR=/home/basketwise/matplotlib \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /home/basketwise
USER ${RUN_AS}
EXPOSE 8080
# SageMaker adds the word: train, serve; a processing job names its own in ContainerArguments.
ENTRYPOINT ["python", "-m", "basketwise.aws.container"]
