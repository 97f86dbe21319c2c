#!/usr/bin/env bash
# Builds .venv for the given requirements file, when they or the constraints have changed since the last time.
# Usage: deploy/environment.sh requirements.txt|requirements-dev.txt
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=$1
stamp=.venv/.built-from-$requirements
checksum=$(cat requirements*.txt constraints.txt | cksum)
# The developer's environment holds everything the plain one does.
for built in "$stamp" .venv/.built-from-requirements-dev.txt; do
    if [[ -f $built && $(<"$built") == "$checksum" ]]; then exit 0; fi
done

for candidate in python3.11 python3 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [[ -z ${python:-} ]]; then
    echo "Python 3.11 is needed and not on the PATH; install it (Debian: apt install python3.11 python3.11-venv) and try again." >&2
    exit 1
fi
if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
    rm -rf .venv
    if ! "$python" -m venv .venv; then
        echo "This Python cannot make environments; install its venv module (Debian: apt install python3.11-venv) and try again." >&2
        exit 1
    fi
fi

echo "Installing what $requirements lists into .venv; the first time takes a few minutes."
if ! .venv/bin/python -m pip install --disable-pip-version-check -r "$requirements" -c constraints.txt; then
    echo "The libraries could not be installed; pip says why above." >&2
    command -v c++ >/dev/null ||
        echo "There is no C++ compiler, and annoy is compiled here (Debian: apt install g++ python3.11-dev)." >&2
    exit 1
fi
echo "$checksum" >"$stamp"
