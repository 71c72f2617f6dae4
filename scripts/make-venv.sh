#!/bin/sh
# Make a virtual environment. Debian's python3 comes without ensurepip: its package python3-venv
# holds it, so that package is installed first where that is needed and allowed.
set -eu
python=$1
venv=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Basketwise needs Python 3.11 or newer; $python is $("$python" -V 2>&1)." >&2
    echo "Name another one: make PYTHON=python3.12 …" >&2
    exit 2
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing python$version-venv, which Debian keeps apart from Python." >&2
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "python$version-venv" >/dev/null
    else
        echo "$python cannot make virtual environments. Install its venv package first:" >&2
        echo "    sudo apt-get install python$version-venv" >&2
        exit 2
    fi
fi
"$python" -m venv "$venv"
