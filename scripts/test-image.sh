#!/bin/sh
# Builds the image with buildah on a base of Debian's own packages, and holds it to SageMaker's
# contract: processing, train, evaluate and serve, as the user that the image names. Needs root,
# buildah and debootstrap; on Debian it installs the two by itself. Nothing else of it stays.
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
    [ ! -f "$ml/pid" ] || kill -KILL "$(cat "$ml/pid")" 2>/dev/null || true
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
[ "$(named User)" = 1000:1000 ] || fail "the image's user is $(named User)"
# As docker does: the image's entry point, and what is given after its name.
entry=$(named Entrypoint | tr -d '[]')
container=$(buildah $storage from image)
in_image() {
    buildah $storage run --isolation chroot --volume "$ml:/opt/ml" "$@"
}
# The shell becomes the image's process, so that its id is known.
started='echo $$ >/opt/ml/pid; exec "$@"'

# As SageMaker lays it out. chroot isolation maps no users: the image's own gets the folders.
mkdir -p "$ml/processing/input" "$ml/processing/output" "$ml/processing/evaluation" "$ml/model" \
    "$ml/output" "$ml/checkpoints" "$ml/input/config" "$ml/input/data"
"$bin/basketwise" sample --out "$ml/processing/input" --baskets 3000 --seed 42 --overwrite
chmod 755 "$work"
own() { chown -R 1000:1000 "$ml"; }
own

say "processing"
in_image "$container" -- $entry processing --input-path /opt/ml/processing/input \
    --output-path /opt/ml/processing/output --bucket-name a-bucket
[ "$(stat -c %u "$ml/processing/output/gold/metadata.json")" = 1000 ] || fail "it ran as root"

for channel in train test; do
    cp -r "$ml/processing/output/gold" "$ml/input/data/$channel"
done
hyperparameters() {
    echo "{\"model-type\": \"$1\", \"random-state\": \"42\"}" >"$ml/input/config/hyperparameters.json"
}

say "train, told to stop"
hyperparameters random_forest
own
in_image "$container" -- sh -c "$started" sh $entry train >"$work/log" 2>&1 &
training=$!
for _ in $(seq 300); do
    ls "$ml/checkpoints/"*.checkpoint >/dev/null 2>&1 && break
    kill -0 $training 2>/dev/null || { cat "$work/log"; fail "the training ended by itself"; }
    sleep 0.1
done
kill -TERM "$(cat "$ml/pid")"
told=$(date +%s) code=0
wait $training || code=$?
[ $(($(date +%s) - told)) -le 5 ] || fail "the training did not end at once"
[ $code = 143 ] || { cat "$work/log"; fail "a stopped training ended with $code"; }
[ ! -e "$ml/model/model.skops" ] || fail "a stopped training left a model"
rm "$ml/pid"

say "train"
rm -rf "$ml/checkpoints"
mkdir "$ml/checkpoints"
hyperparameters all
own
in_image "$container" -- $entry train

say "evaluate"
in_image "$container" -- $entry evaluate --run-id run-image \
    --gold-path /opt/ml/processing/output/gold --model-path /opt/ml/model \
    --output-path /opt/ml/processing/evaluation

say "serve"
rm -rf "$ml/model"
mkdir "$ml/model"
tar -xzf "$ml/processing/evaluation/model.tar.gz" -C "$ml/model"
chmod -R a+rX,a-w "$ml/model"
port=$("$bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
in_image --env SAGEMAKER_BIND_TO_PORT="$port" --env SAGEMAKER_MAX_PAYLOAD_IN_MB=1 \
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
kill -TERM "$(cat "$ml/pid")"
code=0
wait $serving || code=$?
[ $code = 0 ] || fail "a stopped endpoint ended with $code"
rm "$ml/pid"

echo "the image keeps SageMaker's contract"
