#!/bin/sh
# Build the OCI image "demo" from Debian's busybox-static: a small web service that says which task
# answered. No network, no container tools, no root: an OCI layout is files, and tar makes layers.
#
# usage: build-demo.sh DIRECTORY [TAG]
#   DIRECTORY becomes an OCI layout; push it with `skopeo copy oci:DIRECTORY:TAG docker://...`.
#
# The service listens on $PORT (80). GET / answers text, one "name: value" a line; /health answers
# "ok". TERM ends it with exit status 0. VERSION in the environment is shown too, so that two
# revisions of a service can be told apart; $START_DELAY and $STOP_DELAY (seconds) slow it down.
set -eu

[ $# -ge 1 ] || { echo "usage: $0 DIRECTORY [TAG]" >&2; exit 2; }
out=$1
tag=${2:-latest}
busybox=${BUSYBOX:-$(command -v busybox)}
[ -x "$busybox" ] || { echo "build-demo: busybox-static is not installed" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root/bin" "$root/etc" "$root/www/cgi-bin" "$root/tmp" "$root/dev" "$root/proc" \
    "$root/sys" "$root/var" "$root/root"
chmod 1777 "$root/tmp"

cp "$busybox" "$root/bin/busybox"
chmod 0755 "$root/bin/busybox"
# "busybox --list" names busybox itself: a link of that name would replace the program.
"$busybox" --list | grep -vx busybox | while read -r applet; do
    ln -s busybox "$root/bin/$applet"
done

cat >"$root/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/sh
www:x:1000:1000:www:/www:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/sh
END
cat >"$root/etc/group" <<'END'
root:x:0:
www:x:1000:
nogroup:x:65534:
END

# As process 1 the server would ignore TERM (no handler, no default action), hence the trap here.
cat >"$root/bin/demo" <<'END'
#!/bin/sh
port=${PORT:-80}
sleep "${START_DELAY:-0}"
httpd -f -p "$port" -h /www &
server=$!
trap 'echo "demo: stopping"; sleep "${STOP_DELAY:-0}"; kill $server; wait $server; exit 0' TERM INT
echo "demo: task ${ECS_TASK_ID:-none} on ${ECS_NODE:-unknown}, port $port"
wait $server
END

# httpd runs cgi-bin/index.cgi for "/".
cat >"$root/www/cgi-bin/index.cgi" <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
echo "task: ${ECS_TASK_ID:-none}"
echo "container: ${ECS_CONTAINER_NAME:-none}"
echo "host: $(hostname)"
echo "node: ${ECS_NODE:-unknown}"
echo "version: ${VERSION:-1}"
END
echo ok >"$root/www/health"
chmod 0755 "$root/bin/demo" "$root/www/cgi-bin/index.cgi"

blobs=$out/blobs/sha256
mkdir -p "$blobs"

# Move a file to its place by digest; print "digest size".
store() {
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    size=$(stat -c %s "$1")
    mv "$1" "$blobs/$digest"
    echo "$digest $size"
}

# Sorted names, fixed owner and time: the same busybox gives the same image digest.
tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --format=ustar \
    -cf "$work/layer.tar" .
diff_id=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
gzip -1 -n "$work/layer.tar"
read -r layer layer_size <<END
$(store "$work/layer.tar.gz")
END

case $(uname -m) in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) arch=$(uname -m) ;;
esac
cat >"$work/config" <<END
{"created":"1970-01-01T00:00:00Z","architecture":"$arch","os":"linux","config":{"Env":["PATH=/bin"],"Entrypoint":["/bin/demo"],"WorkingDir":"/","ExposedPorts":{"80/tcp":{}},"StopSignal":"SIGTERM"},"rootfs":{"type":"layers","diff_ids":["sha256:$diff_id"]},"history":[{"created_by":"build-demo.sh"}]}
END
read -r config config_size <<END
$(store "$work/config")
END

cat >"$work/manifest" <<END
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:$config","size":$config_size},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:$layer","size":$layer_size}]}
END
read -r manifest manifest_size <<END
$(store "$work/manifest")
END

cat >"$out/index.json" <<END
{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:$manifest","size":$manifest_size,"annotations":{"org.opencontainers.image.ref.name":"$tag"}}]}
END
echo '{"imageLayoutVersion":"1.0.0"}' >"$out/oci-layout"
echo "sha256:$manifest"
