#!/bin/sh
# Says where a call's time goes, with a build of its own under build/. VENV is a virtual environment with the dev extra;
# arguments go to tools/account.py:
#
#     VENV=.venv sh tools/account.sh 100,1,32,64
set -eu
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}
folder=$PWD/build/account
"$VENV/bin/python" -m pip install --quiet --no-deps --upgrade --disable-pip-version-check --target "$folder/site" . \
  --config-settings "build-dir=$folder/build" --config-settings cmake.define.ELMAN_ACCOUNT=ON
packages=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
python=$("$VENV/bin/python" -c 'import sys; print(sys._base_executable)')
PYTHONPATH="$folder/site:$packages" "$python" tools/account.py "$@"
