#!/bin/sh
# Builds the image with buildah on a base of Debian's own packages, and holds it to SageMaker's
# contract: processing, train, evaluate and serve, with each folder a mount of its own, inputs
# read-only, everything root's; then as another user. Needs root, buildah and debootstrap; on Debian
# it installs the two by itself. Nothing else of it stays.
#
#   scripts/test-image.sh BIN     BIN: folder of the virtual environment's commands
set -eu

bin=$1
[ "$(id -u)" = 0 ] || { echo "test-image needs root." >&2; exit 2; }
for tool in buildah debootstrap; do
    command -v $tool >/dev/null && continue
    command -v apt-get >/dev/null || { echo "test-image needs $tool." >&2; exit 2; }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y $tool >/dev/null
done

# /var/tmp: the image takes gigabytes for a while, and /tmp may lie in memory.
work=$(mktemp -d /var/tmp/basketwise-image.XXXXXX)
mkdir "$work/tmp"
# buildah and pip keep their own scratch files here too.
export TMPDIR="$work/tmp"
ml=$work/ml
storage="--storage-driver vfs --root $work/storage --runroot $work/run"

clean_up() {
    # Whatever still runs in the image was started here: chroot isolation has no other processes.
    [ ! -f "$work/process/id" ] || kill -KILL "$(cat "$work/process/id")" 2>/dev/null || true
    # What was cut off may leave mounts, and what lies below a mount must not be deleted.
    awk -v below="$work/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r |
        while read -r mounted; do umount -l "$mounted" || exit 1; done || exit 1
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { echo "--- $*"; }
fail() { echo "test-image: $*" >&2; exit 1; }

say "base: Debian with python3 and nothing else"
debootstrap --variant=minbase --include=python3,python3-venv bookworm "$work/base" \
    >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
python=$(chroot "$work/base" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
from=$(buildah $storage from scratch)
buildah $storage add -q "$from" "$work/base" / >/dev/null
buildah $storage commit -q --rm "$from" base >/dev/null
rm -rf --one-file-system "$work/base"

say "image"
# This machine's own pip knows where packages come from, and how to get there. So it brings them,
# each held to its hash, and the build takes them from a folder: it needs no network and no settings.
"$bin/pip" download --quiet --disable-pip-version-check --require-hashes --only-binary=:all: \
    --python-version "$python" --dest "$work/wheels" -r requirements/runtime.lock \
    >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
printf '[global]\nno-index = true\nfind-links = /wheels\n' >"$work/pip.conf"
buildah $storage build -q --isolation chroot --build-arg BASE=localhost/base -t image \
    --volume "$work/wheels:/wheels:ro" --volume "$work/pip.conf:/etc/pip.conf:ro" . >"$work/log"
named() { buildah $storage inspect --type image --format "{{.OCIv1.Config.$1}}" image; }
[ "$(named User)" = 0:0 ] || fail "the image's user is $(named User)"
# As docker does: the image's entry point, and what is given after its name.
entry=$(named Entrypoint | tr -d '[]')
container=$(buildah $storage from image)
# As SageMaker lays it out: each folder a mount, inputs read-only. Of a name, the part before the
# colon is the folder's below $ml, the other one its place below /opt/ml.
inputs() { for folder; do echo "--volume $ml/${folder%%:*}:/opt/ml/${folder##*:}:ro"; done; }
outputs() {
    for folder; do
        mkdir -p "$ml/${folder%%:*}"
        echo "--volume $ml/${folder%%:*}:/opt/ml/${folder##*:}"
    done
}
in_image() {
    buildah $storage run --isolation chroot --volume "$work/process:/process" "$@"
}
# The shell becomes the image's process, so that its id is known.
started='echo $$ >/process/id; exec "$@"'

mkdir -p "$work/process" "$ml/processing/input" "$ml/input/config"
"$bin/basketwise" sample --out "$ml/processing/input" --baskets 3000 --seed 42 --overwrite
chmod 755 "$work"
etl=$(
    inputs processing/input
    outputs processing/output/silver processing/output/gold output
)
training=$(
    inputs input/config gold:input/data/train gold:input/data/test
    outputs model checkpoints output output/data
)

say "the folders"
in_image $etl "$container" -- sh -c '
    ! touch /opt/ml/processing/input/x 2>/dev/null &&
    cd /opt/ml/processing/output && touch silver/x &&
    ! python -c "import os; os.rename(\"silver/x\", \"gold/x\")" 2>/dev/null && rm silver/x
' || fail "the folders are not apart, or inputs can be written"

say "processing"
in_image $etl "$container" -- $entry processing --input-path /opt/ml/processing/input \
    --output-path /opt/ml/processing/output --bucket-name a-bucket
mv "$ml/processing/output/gold" "$ml/gold"
[ "$(stat -c %u "$ml/gold/metadata.json")" = 0 ] || fail "it did not run as root"

hyperparameters() {
    echo "{\"model-type\": \"$1\", \"random-state\": \"42\"}" >"$ml/input/config/hyperparameters.json"
}

say "train, told to stop"
hyperparameters random_forest
in_image $training "$container" -- sh -c "$started" sh $entry train >"$work/log" 2>&1 &
job=$!
for _ in $(seq 300); do
    ls "$ml/checkpoints/"*.checkpoint >/dev/null 2>&1 && break
    kill -0 $job 2>/dev/null || { cat "$work/log"; fail "the training ended by itself"; }
    sleep 0.1
done
kill -TERM "$(cat "$work/process/id")"
told=$(date +%s) code=0
wait $job || code=$?
[ $(($(date +%s) - told)) -le 5 ] || fail "the training did not end at once"
[ $code = 143 ] || { cat "$work/log"; fail "a stopped training ended with $code"; }
[ ! -e "$ml/model/model.skops" ] || fail "a stopped training left a model"
rm "$work/process/id"

say "train"
rm -f "$ml/checkpoints/"*
hyperparameters all
in_image $training "$container" -- $entry train
mkdir "$ml/trained"
tar -czf "$ml/trained/model.tar.gz" -C "$ml/model" .

say "evaluate"
in_image $(inputs gold:processing/gold trained:processing/model) \
    $(outputs evaluation:processing/output output) "$container" -- \
    $entry evaluate --run-id run-image --gold-path /opt/ml/processing/gold \
    --model-path /opt/ml/processing/model --output-path /opt/ml/processing/output

say "serve"
mkdir "$ml/served"
tar -xzf "$ml/evaluation/model.tar.gz" -C "$ml/served"
port=$("$bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
in_image $(inputs served:model) --env SAGEMAKER_BIND_TO_PORT="$port" --env SAGEMAKER_MAX_PAYLOAD_IN_MB=1 \
    "$container" -- sh -c "$started" sh $entry serve --host 127.0.0.1 >"$work/log" 2>&1 &
serving=$!
"$bin/python" - "$port" <<'PYTHON' || { cat "$work/log"; fail "the endpoint did not answer so"; }
import json, sys, time
from http.client import HTTPConnection

def ask(method, path, body=None, kind="application/json"):
    connection = HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
    connection.request(method, path, body, {"Content-Type": kind} if body else {})
    response = connection.getresponse()
    return response.status, json.loads(response.read())

for _ in range(200):
    try:
        started = time.monotonic()
        assert ask("GET", "/ping")[0] == 200
        print(f"/ping answered in {time.monotonic() - started:.3f} s")
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
line = {"PROD_CODE": "PRD1", "SPEND": 1.5, "QUANTITY": 1}
good = json.dumps({"baskets": [{"basket_id": 1, "lines": [line]}]}).encode()
status, said = ask("POST", "/invocations", good)
assert status == 200, said
csv = ask("POST", "/invocations", b"BASKET_ID,PROD_CODE,SPEND,QUANTITY\n1,PRD1,1.5,1\n", "text/csv")
assert csv[0] == 200, csv
assert csv[1]["predictions"][0]["p_low"] == said["predictions"][0]["p_low"]
print(json.dumps(said["predictions"][0]))
for status, body, kind in (
    (415, good, "application/x-parquet"),
    (400, b"{", "application/json"),
    (413, good + b" " * 2**20, "application/json"),
):
    found = ask("POST", "/invocations", body, kind)
    assert found[0] == status, (status, found)
    print(status, found[1]["error"])
PYTHON
kill -TERM "$(cat "$work/process/id")"
code=0
wait $serving || code=$?
[ $code = 0 ] || fail "a stopped endpoint ended with $code"
rm "$work/process/id"

say "as another user"
# Its last stage alone: what is installed is the same.
{
    echo "ARG BASE"
    echo "FROM localhost/image AS build"
    sed -n '/^FROM ${BASE}$/,$p' Dockerfile
} >"$work/Dockerfile"
buildah $storage build -q --isolation chroot --build-arg BASE=localhost/base \
    --build-arg RUN_AS=1000:1000 --file "$work/Dockerfile" -t other-user . >"$work/log"
user=$(buildah $storage inspect --type image --format '{{.OCIv1.Config.User}}' other-user)
[ "$user" = 1000:1000 ] || fail "the other user is $user"
container=$(buildah $storage from other-user)
rm -rf "$ml/processing/output/silver"
etl=$(
    inputs processing/input
    outputs processing/output/silver processing/output/gold output
)
chown -R 1000:1000 "$ml/processing/output" "$ml/output"
in_image $etl "$container" -- $entry processing
[ "$(stat -c %u "$ml/processing/output/gold/metadata.json")" = 1000 ] || fail "it ran as root"

echo "the image keeps SageMaker's contract"
