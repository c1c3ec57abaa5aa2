#!/usr/bin/env bash
# container.sh
#
# Builds the image of the Dockerfile around target/static/wsecho, with buildah and without pulling
# anything, and runs it as its own user: the server and, beside it in the same image, the command
# of its HEALTHCHECK. The image stays in target/container; `buildah push` takes it further.
# Needs buildah (Debian: buildah) and a machine that lets it work.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

[ $# -eq 0 ] || { usage; exit; }
# Not a failure in CI either: not every machine lets a container be made inside it.
unable() {
  echo "SKIPPED container.sh: $*" >&2
  exit 0
}

have buildah buildah || unable "needs buildah"
[ -x "$root/target/static/wsecho" ] || "$root/scripts/static.sh" --no-check

cd "$root"
mkdir -p target/container
# Chroot isolation and plain copies work inside containers too, where CI often runs.
buildah=(buildah --storage-driver vfs --root "$root/target/container/root"
  --runroot "$tmp/container")
"${buildah[@]}" build --quiet --isolation chroot --format docker --build-arg BINARY=prebuilt \
  --tag wsecho . >"$tmp/build.log" 2>&1 || { tail -n 5 "$tmp/build.log" >&2; unable "no image"; }

"${buildah[@]}" inspect --type image wsecho | python3 -c '
import json, sys
settings = json.load(sys.stdin)["Docker"]["config"]
assert settings["User"] == "65534:65534", settings
assert settings["Entrypoint"] == ["/wsecho"], settings
assert settings["Healthcheck"]["Test"] == ["CMD", "/wsecho", "healthcheck", "--quiet"], settings
'

container=$("${buildah[@]}" from --pull-never wsecho)
inside=("${buildah[@]}" run --isolation chroot --user 65534:65534 "$container" --)
"${inside[@]}" /wsecho --version >/dev/null 2>"$tmp/run.log" || {
  tail -n 2 "$tmp/run.log" >&2
  unable "the image was built, and cannot be run here"
}
start_server "${inside[@]}" /wsecho --listen 127.0.0.1:0
"${inside[@]}" /wsecho healthcheck --quiet "ws://127.0.0.1:$server_port"
echo "image of $(($(stat -c %s target/static/wsecho) / 1024)) KiB: healthy"
stop_server || [ $? = 1 ] # buildah passes the signal on, and reports an end by one as a failure
"${buildah[@]}" rm "$container" >/dev/null
echo "container: PASS"
