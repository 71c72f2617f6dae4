#!/bin/sh
# Renders the image of an approved model, builds it with buildah on a base of Debian's own packages,
# and holds it to what docs/howto/deploy.md promises: what is in it, and its answers, as the user that
# it names, who can write to nothing but temporary files. Prints its size. Needs root, buildah and
# debootstrap, which scripts/test-image.sh installs. Nothing of it stays.
#
#   scripts/test-deploy-image.sh BIN [LIBRARY…]   BIN: folder of the virtual environment's commands
set -eu

bin=$1
shift
[ $# -gt 0 ] || set -- tree xgboost
[ "$(id -u)" = 0 ] || { echo "test-deploy-image needs root." >&2; exit 2; }

work=$(mktemp -d /var/tmp/basketwise-deploy.XXXXXX)
mkdir "$work/tmp" "$work/empty"
export TMPDIR="$work/tmp"
storage="--storage-driver vfs --root $work/storage --runroot $work/run"

clean_up() {
    [ ! -f "$work/scratch/pid" ] || kill -KILL "$(cat "$work/scratch/pid")" 2>/dev/null || true
    awk -v below="$work/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r |
        while read -r mounted; do umount -l "$mounted" || exit 1; done || exit 1
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { echo "--- $*"; }
fail() { echo "test-deploy-image: $*" >&2; exit 1; }
megabytes() { echo $(($1 / 1000000)); }

say "base: Debian with python3 and nothing else"
debootstrap --variant=minbase --include=python3,python3-venv bookworm "$work/base" \
    >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
python=$(chroot "$work/base" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
from=$(buildah $storage from scratch)
buildah $storage add -q "$from" "$work/base" / >/dev/null
buildah $storage commit -q --rm "$from" base >/dev/null
rm -rf --one-file-system "$work/base"
base=localhost/base@$(buildah $storage images --format '{{.Digest}}' localhost/base)

for library; do
    say "$library: render"
    case $library in
        tree) candidate=decision_tree ;;
        sklearn) candidate=logistic ;;
        xgboost) candidate=xgboost ;;
        *) fail "no library $library" ;;
    esac
    rm -rf "$work/raw" "$work/ws" "$work/context"
    "$bin/basketwise" sample --out "$work/raw" --baskets 3000 --weeks 6 >/dev/null 2>&1
    "$bin/basketwise" run "$work/raw" --workspace "$work/ws" --set "training.models=$candidate" \
        --set training.folds=2 --set 'features.tried=[]' --set evaluation.resamples=100 \
        >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
    "$bin/basketwise" deploy render --to docker --workspace "$work/ws" --out "$work/context" --json \
        >"$work/rendered.json"
    "$bin/python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["library"])' \
        "$work/rendered.json"

    say "$library: build"
    # As in scripts/test-image.sh: this machine's pip brings the packages, each held to its hash.
    rm -rf "$work/wheels"
    "$bin/pip" download --quiet --disable-pip-version-check --require-hashes --only-binary=:all: --no-deps \
        --python-version "$python" --dest "$work/wheels" -r "$work/context/requirements.lock" \
        >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
    printf '[global]\nno-index = true\nfind-links = /wheels\n' >"$work/pip.conf"
    buildah $storage build -q --isolation chroot --build-arg "BASE=$base" -t "$library" \
        --volume "$work/wheels:/wheels:ro" --volume "$work/pip.conf:/etc/pip.conf:ro" \
        "$work/context" >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
    named() {
        buildah $storage inspect --type image --format "{{.OCIv1.Config.$1}}" "$library"
    }
    [ "$(named User)" = 10001:10001 ] || fail "the image's user is $(named User)"
    container=$(buildah $storage from --pull-never "localhost/$library")
    root=$(buildah $storage mount "$container")
    for absent in pip setuptools mlflow matplotlib sqlalchemy tests; do
        [ -z "$(find "$root/opt/basketwise/lib" -maxdepth 4 -name "$absent")" ] ||
            fail "$absent is in the image"
    done
    # On top of the base, which is pulled once for all.
    unpacked=$(du -sbc "$root/opt/basketwise" "$root/opt/model" | tail -1 | cut -f1)
    packed=$(tar -C "$root" -c opt/basketwise opt/model | gzip -6 | wc -c)
    echo "$library: $(megabytes "$packed") MB compressed, $(megabytes "$unpacked") MB unpacked, without the base"

    say "$library: serve"
    mkdir -p "$work/scratch"
    chown 10001:10001 "$work/scratch"
    chmod 755 "$work"
    port=$("$bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    token=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
    in_image() {
        buildah $storage run --isolation chroot --volume "$work/scratch:/tmp" --env TMPDIR=/tmp "$@"
    }
    # shellcheck disable=SC2016
    in_image --env BASKETWISE_SERVE_TOKEN="$token" "$container" -- sh -c \
        'echo $$ >"$TMPDIR/pid"; exec basketwise serve --model /opt/model/model.tar.gz --port "$1"' \
        sh "$port" >"$work/log" 2>&1 &
    serving=$!
    began=$(date +%s%N)
    BASKETWISE_SERVE_TOKEN=$token "$bin/python" "$work/context/smoke_test.py" \
        "http://127.0.0.1:$port" || { cat "$work/log"; fail "the server did not answer so"; }
    echo "answered after $((($(date +%s%N) - began) / 1000000)) ms"
    code=0
    BASKETWISE_SERVE_TOKEN=wrong "$bin/python" "$work/context/smoke_test.py" \
        "http://127.0.0.1:$port" 2>/dev/null || code=$?
    [ $code = 2 ] || fail "it answers without the token"
    pid=$(cat "$work/scratch/pid")
    [ "$(stat -c %u "/proc/$pid")" = 10001 ] || fail "it runs as user $(stat -c %u "/proc/$pid")"
    echo "resident: $(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$pid/status") MiB"
    kill -TERM "$pid"
    code=0
    wait $serving || code=$?
    [ $code = 0 ] || { cat "$work/log"; fail "a server that was told to end ended with $code"; }
    rm "$work/scratch/pid"
    buildah $storage umount "$container" >/dev/null
    buildah $storage rm "$container" >/dev/null
done

echo "the images keep their promises"
